"""The command `qdbg why`: what it opens, what it prints, how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qdbg.core.program import Recording
from qdbg.core.quantity import Array
from qdbg.debugger import Debugger
from qdbg.engine.why import why_simulated
from qdbg.headless.arguments import UsageError
from qdbg.headless.opening import check, request_for, session_for
from qdbg.headless.output import Progress, json_text, write
from qdbg.headless.separating import Separation, separate
from qdbg.headless.why import list_text, why_data, why_text
from qdbg.names import TEXTBOOK

if TYPE_CHECKING:
    import argparse

    from qdbg.capture import Request


def why(options: argparse.Namespace) -> int:
    """Print the causes; the exit status says whether anything differs. Raises QdbgError."""
    if options.list:
        write(list_text())
        return 0
    if options.target is None:
        raise UsageError("no model was named", expected="qdbg why MODEL --sample NAME")
    check(options)
    progress = Progress()
    try:
        recording, request = _recording(options, progress)
        debugger = Debugger(recording, options.arith or TEXTBOOK)
        found = why_simulated(debugger.trace, progress)
        tests: tuple[Separation, ...] = ()
        if options.separate:
            found, tests = separate(found, request, progress, captured)
    finally:
        progress.done()
    write(json_text(why_data(found, tests)) if options.json else why_text(found, tests))
    return found.exit_status


def captured(recording: Recording, call: int) -> Array:
    """What the simulated side is compared with."""
    return recording.values[call]


def _recording(options: argparse.Namespace, progress: Progress) -> tuple[Recording, Request | None]:
    session = session_for(options)
    if session is not None:
        return session.recording, None
    from qdbg.capture import capture  # noqa: PLC0415 - a session does not need it

    request = request_for(options)
    return capture(request, progress, lambda: False), request
