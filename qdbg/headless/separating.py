"""`--separate`: build an input on which tied causes differ, run it, and see which one survives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from qdbg.core.program import Recording
from qdbg.core.quantity import Array, readonly
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.diagnose import left_by
from qdbg.engine.separate import UNCHANGED, Found, separating_inputs
from qdbg.engine.telling import doubt
from qdbg.engine.together import CallWhy
from qdbg.engine.trace import Trace
from qdbg.engine.verdict import Verdict
from qdbg.engine.why import Why
from qdbg.headless.options import UsageError
from qdbg.samples import Sample

if TYPE_CHECKING:
    from qdbg.capture import Request

ROUNDS = 2
"""How many times inputs are built and run: what the first ones leave can be told by others."""
SECONDS = 2.0
"""How long inputs are looked for in all."""
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
    """The answer without the causes that other inputs rule out, and what was run.

    The model runs again in PyTorch, all inputs in one process. A session has none: the captured
    engine's arithmetic runs them, if it gives all of the session's integers. Raises UsageError
    where it does not.
    """
    if request is None:
        _check_exact(found.trace.recording)
    runs: list[Separation] = []
    own = _Runs(found.trace, request, say, target, monotonic() + SECONDS)
    calls = found.calls
    for seed in range(ROUNDS):
        calls = own.narrowed(calls, seed, runs)
    return found.narrowed(calls), tuple(runs)


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

    trace: Trace
    request: Request | None
    say: Callable[[str], None]
    target: Target
    until: float
    """When no more inputs are looked for, by the clock."""

    def narrowed(
        self, calls: Sequence[CallWhy], seed: int, runs: list[Separation]
    ) -> tuple[CallWhy, ...]:
        """The calls with those causes that survive inputs on which they differ."""
        inputs = {call.call: self._inputs(call, seed) for call in calls if _unsettled(call)}
        made = self._run([fed for found in inputs.values() for fed in found.fed])
        kept: list[CallWhy] = []
        for call in calls:
            found = inputs.get(call.call)
            if found is not None and found.fed:
                others, made = made[: len(found.fed)], made[len(found.fed) :]
                call = self._tested(call, others, found.tried, runs)  # noqa: PLW2901 - narrowed
            elif found is not None and not any(run.name == call.name for run in runs):
                names = tuple(cause.names for cause in _causes(call))
                runs.append(Separation(call.name, names, (), None, found.tried, not self.request))
            kept.append(call)
        return tuple(kept)

    def _inputs(self, call: CallWhy, seed: int) -> Found:
        causes, in_doubt = _causes(call), _doubtful(call)
        self.say(f"looking for an input that tells {len(causes)} causes of {call.name} apart")
        return separating_inputs(
            self.trace,
            call.call,
            causes,
            seed,
            in_doubt=in_doubt,
            go_on=lambda: monotonic() < self.until,
        )

    def _run(self, fed: Sequence[Recording]) -> list[Recording]:
        """The recordings of the inputs, in their order."""
        if self.request is None or not fed:
            return list(fed)
        from qdbg.capture import capture_many  # noqa: PLC0415 - a session does not need it

        inputs = [recording.input for recording in fed]
        values = readonly(np.concatenate(inputs))
        sample = Sample("separating", values, "built to tell causes apart")
        request = replace(self.request, sample=sample, batch=len(inputs[0]))
        found = list(capture_many(request, self.say, lambda: False))
        return [runs.recording(run) for runs in found for run in range(len(runs))]

    def _tested(
        self, call: CallWhy, made: Sequence[Recording], tried: int, runs: list[Separation]
    ) -> CallWhy:
        """The call with the causes that leave nothing in the other runs either."""
        for recording in made:
            wanted, causes = self.target(recording, call.call), _causes(call)
            if wanted is None or not _unsettled(call):
                break
            again = Trace(recording, self.trace.arithmetic)
            left = left_by(again, call.call, wanted, (UNCHANGED, *causes))
            names = tuple(cause.names for cause in causes)
            runs.append(Separation(call.name, names, left[1:], recording, tried, not self.request))
            call = _survived(call, left[1:], proved=bool(left[0]) and not self._doubt(call, wanted))
        return call

    def _doubt(self, call: CallWhy, wanted: Array) -> str:
        return doubt(wanted, self.trace.nodes[call.call].output)


def _causes(call: CallWhy) -> tuple[Verdict, ...]:
    return call.diagnosis.causes if call.diagnosis is not None else ()


def _doubtful(call: CallWhy) -> bool:
    return call.diagnosis is not None and bool(call.diagnosis.doubt)


def _unsettled(call: CallWhy) -> bool:
    """Whether other inputs can say more: several causes, or one in doubt."""
    return len(_causes(call)) > (0 if _doubtful(call) else 1)


def _survived(call: CallWhy, left: Sequence[int], *, proved: bool) -> CallWhy:
    """The call with the causes that left nothing; `proved` where that run says enough."""
    assert call.diagnosis is not None  # noqa: S101 - for the type checker: it has causes
    held = tuple(c for c, each in zip(call.diagnosis.causes, left, strict=True) if each == 0)
    reason = "" if proved else call.diagnosis.doubt
    return replace(call, diagnosis=replace(call.diagnosis, causes=held, doubt=reason))
