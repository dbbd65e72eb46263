"""The command `qdbg replay`: every file, every form of the report, one exit status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qdbg.errors import QdbgError
from qdbg.headless.output import json_text, write, write_error
from qdbg.headless.replay import Failure, Report, most_severe, replay
from qdbg.headless.report import json_data, text, write_junit
from qdbg.headless.scripted import run_script, watched_text
from qdbg.script import Line, script_of
from qdbg.session import load

if TYPE_CHECKING:
    import argparse


def replay_files(options: argparse.Namespace) -> int:
    """Replay each file; the most severe status is that of all."""
    lines = script_of(options)
    reports = []
    for name in options.files:
        report = _one(Path(name), options)
        if lines and isinstance(report, Report):
            report = _gone_on(report, lines)
        reports.append(report)
        if isinstance(report, Failure):
            write_error(text(report))
        elif not options.json:
            write(text(report))
    if options.json:
        write(json_text(json_data(reports)))
    if options.junit:
        write_junit(reports, Path(options.junit))
    return most_severe([report.status for report in reports])


def _gone_on(report: Report, lines: Sequence[Line]) -> Report | Failure:
    """The report, with where further commands lead from the session's end."""
    debugger = load(report.path).debugger()
    try:
        return replace(report, ran=run_script(debugger, lines), watched=watched_text(debugger))
    except QdbgError as error:
        return Failure(report.path, f"{report.path}: {error.message}")


def _one(path: Path, options: argparse.Namespace) -> Report | Failure:
    source = None if options.source is None else Path(options.source)
    try:
        return replay(path, options.recapture, source, options.trust_source)
    except QdbgError as error:
        named = str(path) in error.message
        return Failure(path, error.message if named else f"{path}: {error.message}")
