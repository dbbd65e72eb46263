"""Replay a session without PyTorch: the same integers, and the same stops?"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qdbg.core.program import Recording
from qdbg.debugger import Debugger, Executed
from qdbg.errors import SessionError
from qdbg.headless.differences import CallDifferences, trace_differences
from qdbg.headless.scripted import Ran
from qdbg.session import Outcome, Session, State, load

if TYPE_CHECKING:
    from qdbg.headless.recapture import Recapture

SEVERITY = (0, 3, 1, 2)
"""The exit statuses, the mildest first: equal, not simulated, differences, bad input."""


@dataclass(frozen=True, slots=True)
class StopDifference:
    """A command that led elsewhere than when the session was saved, or that no longer runs."""

    number: int
    """Its place among the commands, from 1."""
    command: str
    recorded: Executed
    now: Executed | None
    problem: str
    """Why it does not run any more; empty where it does."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a replay found."""

    path: Path
    recording: Recording
    arithmetic: str
    """The name of the arithmetic that the session ended with."""
    feed: str
    calls: int
    values: int
    """Captured values that were compared with simulated ones."""
    differing: tuple[CallDifferences, ...]
    not_simulated: tuple[tuple[str, str], ...]
    """Calls that could not be simulated, with the reason."""
    stops: int
    stop_differences: tuple[StopDifference, ...]
    state: tuple[str, ...]
    """What else differs from where the session was saved, a sentence each."""
    recapture: Recapture | None
    """How PyTorch's integers compare today; None where it was not run again."""
    ran: tuple[Ran, ...] = ()
    """Where further commands led from the session's end."""
    watched: str = ""
    """What the watches read there, a line each."""

    @property
    def differences(self) -> int:
        """How many values differ."""
        return sum(call.count for call in self.differing)

    @property
    def status(self) -> int:
        """0 all the same, 1 something differs, 3 nothing differs but a call was not simulated."""
        again = self.recapture is not None and self.recapture.differs
        if self.differing or self.stop_differences or self.state or again:
            return 1
        return 3 if self.not_simulated else 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be replayed at all."""

    path: Path
    message: str
    """What was found, what was expected, what to do."""

    @property
    def status(self) -> int:
        """Bad input."""
        return 2


def replay(
    path: Path, recapture: bool = False, source: Path | None = None, trust: bool = False
) -> Report:
    """Simulate the session's calls again, execute its commands again, and compare everything.

    With `recapture`, PyTorch runs the model again too; `source` and `trust` are for that.
    Raises SessionError for a damaged or foreign file, and any QdbgError of the capture.
    """
    session = load(path)
    with np.errstate(all="ignore"):
        report = _replay(path, session)
    if not recapture:
        return report
    from qdbg.headless.recapture import recapture as run_again  # noqa: PLC0415 - starts PyTorch

    again = run_again(session.recording, path, source, trust)
    changed = {field.name: getattr(report, field.name) for field in fields(Report)}
    return Report(**changed | {"recapture": again})


def _replay(path: Path, session: Session) -> Report:
    try:
        debugger, outcomes = session.rerun()
    except SessionError as error:
        raise SessionError(
            f"{path}: {error.found}", expected=error.expected, remedy=error.remedy
        ) from error
    trace = debugger.unchanged  # numbers that were changed cannot be compared with PyTorch's
    compared = [c for c in trace.comparisons if c.status != "not simulated"]
    return Report(
        path=path,
        recording=session.recording,
        arithmetic=trace.arithmetic.name,
        feed=trace.feed,
        calls=len(trace.nodes),
        values=sum(c.elements for c in compared),
        differing=trace_differences(trace),
        not_simulated=tuple(
            (node.name, c.reason or "")
            for node, c in zip(trace.nodes, trace.comparisons, strict=True)
            if c.status == "not simulated"
        ),
        stops=len(outcomes),
        stop_differences=_stop_differences(outcomes),
        state=_state_differences(session.state, debugger),
        recapture=None,
    )


def _stop_differences(outcomes: tuple[Outcome, ...]) -> tuple[StopDifference, ...]:
    return tuple(
        StopDifference(number, o.recorded.command, o.recorded, o.now, o.problem)
        for number, o in enumerate(outcomes, 1)
        if o.now != o.recorded
    )


def _state_differences(saved: State, debugger: Debugger) -> tuple[str, ...]:
    now = State.of(debugger)
    pairs = (
        ("the arithmetic", saved.arithmetic, now.arithmetic),
        ("the feed", saved.feed, now.feed),
        ("the cursor", f"{saved.stop}[{saved.element}]", f"{now.stop}[{now.element}]"),
        ("the stop reason", saved.reason, now.reason),
        ("the breakpoints", _breakpoints(saved, saved), _breakpoints(now, saved)),
        ("the watches", _listed(saved.watches), _listed(now.watches)),
        ("the marks", _marks(saved), _marks(now)),
    )
    return tuple(
        f"{what} at the end: saved {before}, now {after}"
        for what, before, after in pairs
        if before != after
    )


def _listed(items: tuple[str, ...]) -> str:
    return ", ".join(items) or "none"


def _breakpoints(state: State, saved: State) -> str:
    """As far as the saved ones tell: those of old sessions have no counts."""
    counted = all(one.hits is not None for one in saved.breakpoints)
    return _listed(
        tuple(
            one.spot
            + (f" hit {one.hits} times" if counted and one.hits else "")
            + ("" if one.enabled else " (off)")
            for one in state.breakpoints
        )
    )


def _marks(state: State) -> str:
    marks = sorted(state.marks.items())
    return _listed(tuple(f"{letter} at {stop}[{i}]" for letter, (stop, i) in marks))


def most_severe(statuses: list[int]) -> int:
    """The exit status of several files together."""
    return max(statuses, key=SEVERITY.index, default=0)
