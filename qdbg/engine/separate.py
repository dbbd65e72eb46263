"""Inputs that tell causes apart: on them the tied hypotheses give different integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qdbg.core.arithmetic import ARITHMETICS
from qdbg.core.program import INPUT, Recording
from qdbg.core.quantity import Array, QParams, readonly
from qdbg.engine.diagnose import Verdict, results
from qdbg.engine.simulate import Simulation
from qdbg.engine.trace import Trace, arithmetic_for
from qdbg.names import TEXTBOOK

TRIES = 400
"""How many inputs are looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """An input on which not all of the causes agree."""

    input: Array
    """float32, in the shape of the recording's own."""
    groups: int
    """How many different results the causes give there."""
    tried: int


def separating_input(
    trace: Trace, call: int, causes: Sequence[Verdict], seed: int = 0
) -> tuple[Found | None, int]:
    """The input that splits the causes most, and how many were tried.

    The layers before the call are simulated as the captured engine computes them. None where the
    causes agree on all inputs that were tried, or where a layer before is not simulated.
    """
    best: Found | None = None
    tried = 0
    for x in _candidates(trace.recording, np.random.default_rng(seed)):
        if tried == TRIES:
            break
        tried += 1
        made = _run(trace.recording, x, call)
        if made is None:
            return best, tried
        held = results(Trace(made, trace.arithmetic), call, causes)
        groups = len({None if each is None else each.tobytes() for each in held})
        if groups > (best.groups if best is not None else 1):
            best = Found(x, groups, tried)
        if best is not None and best.groups == len(causes):
            break
    return best, tried


def _run(recording: Recording, x: Array, call: int) -> Recording | None:
    """The recording as it would be for another input, up to the call."""
    arithmetic = arithmetic_for(recording) or ARITHMETICS[TEXTBOOK]
    trace = Trace(replace(recording, input=x), arithmetic, "simulated")
    values = list(recording.values)
    for before in range(call + 1):
        made = trace.simulation(before)
        if not isinstance(made, Simulation):
            return None
        values[before] = made.result
    return replace(recording, input=x, values=tuple(values))


def _input_range(recording: Recording) -> QParams | None:
    """The parameters with which the model quantizes its input."""
    for node in recording.program.nodes:
        if INPUT in node.inputs and node.output is not None and not node.output.per_channel:
            return node.output
    return None


def _candidates(recording: Recording, random: np.random.Generator) -> Iterator[Array]:
    """Inputs over the whole range of the input's quantizer, its ends, its upper half, few values,
    and values half-way between two integers; and the recording's own input, moved a little."""
    params, shape = _input_range(recording), recording.input.shape
    if params is None:
        scale, low, high, zero = 1.0, -3, 3, 0
        scale = float(np.abs(recording.input).max(initial=1.0)) / high
    else:
        scale, zero = float(params.scale), int(params.zero_point)
        low, high = params.qmin, params.qmax
    middle = (low + high + 1) // 2
    while True:
        whole = random.integers(low, high + 1, shape)
        kinds = (
            whole,
            random.choice([low, high], shape),
            random.integers(middle, high + 1, shape),
            np.where(random.random(shape) < 0.25, whole, zero),  # noqa: PLR2004 - a quarter
            whole + 0.5,
        )
        for q in kinds:
            yield readonly(((q - zero) * scale).astype(np.float32))
        noise = random.normal(0, scale, shape)
        yield readonly((recording.input + noise).astype(np.float32))
