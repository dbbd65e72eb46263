"""What the app was asked to open; imports nothing heavy, for the first paint waits for it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from qdbg.capture import Request
    from qdbg.core.program import Recording
    from qdbg.core.quantity import Array
    from qdbg.recent import Recent
    from qdbg.script import Line
    from qdbg.session import Session


@dataclass(frozen=True, slots=True)
class Plan:
    """What to open, and how."""

    title: str
    """The path as the user gave it."""
    opening: Callable[[], Request | Session]
    """Finds what the path means; slow, and may raise QdbgError."""
    session_path: Path | None
    """Where the session is saved again; None for a model."""
    arithmetic: str | None
    """None for the session's own, or `auto`."""
    feed: str | None
    """None for the session's own, or `captured`."""
    golden: Callable[[Recording], Mapping[int, Array]] | None = None
    """Gives the golden integers of a recording, by call; slow, and may raise QdbgError."""
    run: str = ""
    """Which run it is among the recent ones; empty for one that is not remembered."""
    commands: Callable[[], tuple[Line, ...]] | None = None
    """What to run once it is open; may raise QdbgError."""
    notes: Sequence[str] = ()
    """What is to be said once it is open."""
    kept: str = ""
    """The name among the recent ones of what is gone on with; empty for a new start."""
    tour: bool = False
    """Whether the guided tour leads through it."""


RUN_OPTIONS = ("sample", "input", "standardize", "scaled", "engine", "cpu", "threads")
"""The options that make another run."""


def plan_of(options: argparse.Namespace) -> Plan:
    """What a command line asks for; everything that is wrong with it is found by `opening`."""
    from qdbg.headless.opening import SUFFIX, check, target_for  # noqa: PLC0415 - not for --help
    from qdbg.script import script_of  # noqa: PLC0415 - likewise

    def opening() -> Request | Session:
        check(options)
        return target_for(options)

    def golden(recording: Recording) -> Mapping[int, Array]:
        from qdbg.headless.golden import golden_columns  # noqa: PLC0415 - numpy

        columns, notes[:] = golden_columns(options, recording)
        return columns

    notes: list[str] = []
    path = Path(options.target)
    return Plan(
        options.target,
        opening,
        path if path.suffix == SUFFIX else None,
        options.arith,
        options.feed,
        None if options.golden is None else golden,
        run_words(options),
        commands=lambda: script_of(options),
        notes=notes,
    )


def plan_of_words(argv: list[str]) -> Plan:
    """The same for the words of a command line behind `qdbg`."""
    from qdbg.headless.arguments import open_parser  # noqa: PLC0415 - argparse

    return plan_of(open_parser().parse_args(argv))


def plan_of_recent(entry: Recent) -> Plan:
    """Go on with a session that was left by quitting; ctrl+s saves it where it came from."""
    target = Path(shlex.split(entry.run)[0]) if entry.run else Path()
    saved = target if target.suffix == entry.path.suffix else None

    def opening() -> Session:
        from qdbg.session import load  # noqa: PLC0415 - numpy

        return load(entry.path)

    return Plan(entry.model, opening, saved, None, None, run=entry.run, kept=entry.name)


def plan_of_tour() -> Plan:
    """The shipped session, not remembered among the recent ones."""

    def opening() -> Session:
        from qdbg.tour import tour_session  # noqa: PLC0415 - numpy, not before the first paint

        return tour_session()

    return Plan("the tour", opening, None, None, None, tour=True)


def run_words(options: argparse.Namespace) -> str:
    """The run as a command line, the same for the same run from every folder."""
    words = [str(Path(options.target).absolute())]
    for name in RUN_OPTIONS:
        value = getattr(options, name)
        if value is not None and value is not False:
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return shlex.join(words)
