"""The command `qdbg selftest`: fuzz this machine's PyTorch against the simulation."""

from __future__ import annotations

import contextlib
import math
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qdbg.capture import child_process, importing_torch_once, machine_level
from qdbg.capture.request import error_from
from qdbg.core.container import decode, unpack
from qdbg.debugger import Debugger
from qdbg.errors import CaptureError, CommandError
from qdbg.headless.coverage import coverage_data, coverage_text, status_of
from qdbg.headless.options import UsageError
from qdbg.headless.output import json_text, write, write_error
from qdbg.names import ENGINES, LEVELS
from qdbg.saving import FOLDER
from qdbg.selftest.cell import Findings, Task
from qdbg.session import Session, save

if TYPE_CHECKING:
    import argparse

MODULE = "qdbg.selftest.child"
POLL = 0.2
UNITS = {"s": 1, "m": 60, "h": 3600, "": 1}
SILENT = 120.0
"""Seconds without a word after which a child counts as hanging."""


def selftest(options: argparse.Namespace) -> int:
    """Fuzz, print the table, and say by the exit status whether anything differs."""
    cells = _cells(options)
    seed = options.seed if options.seed is not None else secrets.randbits(31)
    workers = max(1, min(len(cells), os.cpu_count() or 1))
    ops = tuple(options.op or ())
    share = Shares(seconds(options.budget), len(cells), workers)
    tasks = [Task(engine, level, ops, seed, share.first) for engine, level in cells]
    stopped = threading.Event()
    with _progress(tasks) as tell, importing_torch_once(), ThreadPoolExecutor(workers) as pool:
        try:
            found = list(pool.map(lambda task: run_task(task, tell, share, stopped), tasks))
        finally:
            stopped.set()  # after ctrl+c the pool waits for the children that run
    data = coverage_data(found, seed, options.budget, ops)
    write(json_text(data) if options.json else coverage_text(found, seed))
    for each in found:
        for path in save_differences(each, seed):
            write_error(f"a small layer that differs: qdbg {path}")
    return status_of(found)


class Shares:
    """How long each cell may take: what one leaves, because all its ops have their million, goes
    to those that have not begun; where one proves its faults beyond its time, they keep half of
    theirs."""

    def __init__(self, budget: float, cells: int, workers: int) -> None:
        self.end = time.monotonic() + budget
        self.first = budget / math.ceil(cells / workers)
        """The share of a cell if none ends early."""
        self._left = cells
        self._workers = workers
        self._lock = threading.Lock()

    def next(self) -> float:
        """Seconds for the cell that begins now."""
        with self._lock:
            rounds = math.ceil(self._left / self._workers)
            self._left -= 1
        return max(self.first / 2, (self.end - time.monotonic()) / rounds)


def seconds(text: str) -> float:
    """`90`, `60s`, `5m`, `1h` in seconds. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise UsageError(f"--budget {text!r}", expected="a time such as 60s, 5m or 1h")
    return float(match[1]) * UNITS[match[2]]


def _cells(options: argparse.Namespace) -> list[tuple[str, str]]:
    machine = machine_level()
    reached = LEVELS[: LEVELS.index(machine) + 1]
    engines, levels = options.engine or ENGINES, options.cpu or reached
    for engine in engines:
        if engine not in ENGINES:
            known = f"one of {', '.join(ENGINES)}"
            raise UsageError(f"there is no engine {engine!r}", expected=known)
    for level in levels:
        if level not in reached:
            expected = " or ".join(reached)
            raise UsageError(f"this machine has no CPU level {level!r}", expected=expected)
    return [(engine, level) for engine in engines for level in levels]


def run_task(
    task: Task,
    tell: Callable[[Task, Findings], None],
    share: Shares | None = None,
    stopped: threading.Event | None = None,
) -> Findings:
    """Run one child to its end, or until `stopped` is set; one that dies is part of the findings.
    `share` says how long it may take, if not the task itself.

    Raises CommandError for an op that no case draws.
    """
    given = task if share is None else replace(task, budget=share.next())
    found = Findings(task.engine, task.level, budget=given.budget)
    start = heard = time.monotonic()
    with child_process(task.level, MODULE) as child:
        child.send(given.line())
        while stopped is None or not stopped.is_set():
            try:
                message = child.receive(POLL)
            except CaptureError as error:
                found.ended = f"{error.found} at {found.running or 'the start'}"
                return found
            now = time.monotonic()
            found.seconds = now - start
            tell(task, found)
            if message is None:
                if now - heard > SILENT:
                    found.ended = f"it hung at {found.running}"
                    return found
                continue
            heard = now
            if not isinstance(message, bytes) and "found" in message:
                if message["error"] == CommandError.__name__:
                    raise error_from(message)
                found.ended = str(message["found"])
                return found
            found.hear(message)
            if found.done:
                tell(task, found)
                return found
        found.ended = "it was stopped"
        return found


def save_differences(found: Findings, seed: int) -> Iterator[Path]:
    """Write each small case that differs as a session under sessions/. Raises SessionError."""
    for case, data in zip(found.differences, found.recordings, strict=False):
        recording = unpack(*decode(data, "the self-test's answer"))
        name = f"selftest-{case['op']}-{found.engine}-{found.level}-{seed}-{case['seed']}.qdbg"
        path = FOLDER / name
        save(Session.of(Debugger(recording, "auto", "captured")), path)
        yield path


@contextlib.contextmanager
def _progress(tasks: list[Task]) -> Iterator[Callable[[Task, Findings], None]]:
    """A bar for each cell on a terminal, with the part of its time that has passed and the case
    that is drawn: rich draws it; nothing elsewhere."""
    from rich.console import Console  # noqa: PLC0415 - drawn only here
    from rich.progress import (  # noqa: PLC0415 - drawn only here
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.fields[cell]}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[case]}"),
    )
    silent = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=silent) as bar:
        rows = {t.cell: bar.add_task("", start=False, case="", cell=t.cell) for t in tasks}

        def tell(task: Task, found: Findings) -> None:
            passed = found.budget if found.done else min(found.seconds, found.budget)
            case = "done" if found.done else found.running.partition(",")[0]
            row = rows[task.cell]
            bar.start_task(row)  # once: later calls change nothing
            bar.update(row, total=found.budget, completed=passed, case=case)

        yield tell
