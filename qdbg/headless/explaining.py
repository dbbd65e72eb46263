"""The command `qdbg why`: what it opens, what it prints, how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qdbg.core.program import Recording
from qdbg.core.quantity import Array
from qdbg.core.versions import other_release
from qdbg.core.work import heard_by
from qdbg.debugger import Debugger
from qdbg.engine.why import Why, why_golden, why_simulated
from qdbg.golden import Golden
from qdbg.headless.golden import golden_for, layout_notes, misplaced
from qdbg.headless.opening import check, request_for, session_for
from qdbg.headless.options import UsageError
from qdbg.headless.output import Progress, json_text, write
from qdbg.headless.separating import Separation, Target, separate
from qdbg.headless.why import list_text, why_text
from qdbg.headless.why_data import why_data
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
    if options.golden and options.arith:
        raise UsageError(
            "--golden is explained against the arithmetic that PyTorch ran",
            remedy="Leave out --arith or --golden.",
        )
    progress = Progress()
    try:
        with heard_by(progress.part):
            found, tests = _explained(options, progress)
    finally:
        progress.done()
    write(json_text(why_data(found, tests)) if options.json else why_text(found, tests))
    return found.exit_status


def _explained(
    options: argparse.Namespace, progress: Progress
) -> tuple[Why, tuple[Separation, ...]]:
    recording, request = _recording(options, progress)
    golden = golden_for(options, recording, "captured")
    if golden is None:
        debugger = Debugger(recording, options.arith or TEXTBOOK)
        target: Target = captured
        found = why_simulated(debugger.trace, progress)
    else:
        target = _Again(golden)
        found = _why_golden(golden, progress)
    release = other_release(recording.environment)
    if release:
        found = found.noting((*found.notes, f"{release}."), found.misplaced)
    if not options.separate:
        return found, ()
    return separate(found, request, progress, target)


def _why_golden(golden: Golden, progress: Progress) -> Why:
    columns = {call: column.values for call, column in golden.columns.items()}
    found = why_golden(golden.recording, columns, progress)
    return found.noting(layout_notes(golden), misplaced(golden))


@dataclass(frozen=True, slots=True)
class _Again:
    """The golden model's integers of another run."""

    golden: Golden

    def __call__(self, recording: Recording, call: int) -> Array | None:
        column = self.golden.again(recording).columns.get(call)
        return None if column is None else column.values


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
