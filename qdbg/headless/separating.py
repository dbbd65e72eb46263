"""`--separate`: build an input on which tied causes differ, run it, and see which one survives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qdbg.core.program import Recording
from qdbg.core.quantity import Array
from qdbg.engine.diagnose import left_by
from qdbg.engine.separate import separating_input
from qdbg.engine.together import CallWhy
from qdbg.engine.trace import Trace, arithmetic_for
from qdbg.engine.verdict import Verdict
from qdbg.engine.why import Why
from qdbg.headless.options import UsageError
from qdbg.samples import Sample

if TYPE_CHECKING:
    from qdbg.capture import Request

ROUNDS = 3
"""How many inputs are run for one call."""
Target = Callable[[Recording, int], Array | None]
"""The integers that a call should have in another run."""


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """One input that was run, and what each cause leaves there."""

    name: str
    """The call's name."""
    causes: tuple[tuple[str, ...], ...]
    left: tuple[int, ...]
    fed: Recording | None
    """The run with the numbers that were found; None where the causes agree on all that were
    tried."""
    tried: int
    simulated: bool
    """The captured engine's arithmetic ran it, and not PyTorch."""


def separate(
    found: Why, request: Request | None, say: Callable[[str], None], target: Target
) -> tuple[Why, tuple[Separation, ...]]:
    """The answer without the causes that another input rules out, and what was run.

    The model runs again in PyTorch. A session has none: the captured engine's arithmetic runs it,
    if it gives all of the session's integers. Raises UsageError where it does not.
    """
    if request is None:
        _check_exact(found.trace.recording)
    runs: list[Separation] = []
    own = _Runs(found, request, say, target)
    calls = tuple(own.narrowed(call, runs) for call in found.calls)
    return replace(found, calls=calls), tuple(runs)


def _check_exact(recording: Recording) -> None:
    arithmetic = arithmetic_for(recording)
    comparisons = Trace(recording, arithmetic).comparisons if arithmetic is not None else ()
    if not comparisons or any(c.status != "equal" for c in comparisons):
        raise UsageError(
            "--separate needs PyTorch here: qdbg does not simulate every call of this session",
            remedy="Name the model in place of the session.",
        )


@dataclass(frozen=True, slots=True)
class _Runs:
    """Runs of the same model on other inputs."""

    found: Why
    request: Request | None
    say: Callable[[str], None]
    target: Target

    def narrowed(self, call: CallWhy, runs: list[Separation]) -> CallWhy:
        """The call with those causes that survive."""
        diagnosis = call.diagnosis
        if diagnosis is None or len(diagnosis.causes) <= 1:
            return call
        causes = diagnosis.causes
        for made in self._rounds(call, causes):
            runs.append(made)
            kept = {n for n, left in zip(made.causes, made.left, strict=False) if left == 0}
            if made.fed is not None:
                causes = tuple(cause for cause in causes if cause.names in kept)
        return replace(call, diagnosis=replace(diagnosis, causes=causes))

    def _rounds(self, call: CallWhy, causes: Sequence[Verdict]) -> Iterator[Separation]:
        trace, simulated = self.found.trace, self.request is None
        for seed in range(ROUNDS):
            if len(causes) <= 1:
                return
            self.say(f"looking for an input that tells {len(causes)} causes of {call.name} apart")
            best, tried = separating_input(trace, call.call, causes, seed)
            names = tuple(cause.names for cause in causes)
            if best is None:
                yield Separation(call.name, names, (), None, tried, simulated)
                return
            made = best.fed if simulated else self._run(best.fed.input)
            wanted = self.target(made, call.call)
            if wanted is None:
                return
            again = Trace(made, trace.arithmetic)
            left = left_by(again, call.call, wanted, causes)
            yield Separation(call.name, names, left, best.fed, tried, simulated)
            causes = [cause for cause, each in zip(causes, left, strict=True) if each == 0]

    def _run(self, x: Array) -> Recording:
        from qdbg.capture import capture  # noqa: PLC0415 - a session does not need it

        assert self.request is not None  # noqa: S101 - a session is never run
        sample = Sample("separating", x, "built to tell causes apart")
        return capture(replace(self.request, sample=sample), self.say, lambda: False)
