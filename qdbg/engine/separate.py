"""Inputs that tell causes apart: on them the tied hypotheses give different integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np

from qdbg.core.arithmetic import ARITHMETICS
from qdbg.core.program import FIRST_CONSTANT, INPUT, Recording
from qdbg.core.quantity import Array, QParams, QTensor, readonly
from qdbg.engine.diagnose import results
from qdbg.engine.simulate import Simulation
from qdbg.engine.trace import Trace, arithmetic_for
from qdbg.engine.verdict import Verdict
from qdbg.names import TEXTBOOK

TRIES = 400
"""How many inputs are looked at."""
BYTES = ("quint8", "qint8")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Numbers on which not all of the causes agree."""

    fed: Recording
    """The recording fed these numbers, with the integers that the captured engine's arithmetic
    gives up to the call."""
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
    for other in _candidates(trace.recording, call, np.random.default_rng(seed)):
        if tried == TRIES:
            break
        tried += 1
        made = _run(other, call)
        if made is None:
            return best, tried
        held = results(Trace(made, trace.arithmetic), call, causes)
        groups = len({None if each is None else each.tobytes() for each in held})
        if groups > (best.groups if best is not None else 1):
            best = Found(made, groups, tried)
        if best is not None and best.groups == len(causes):
            break
    return best, tried


def _run(recording: Recording, call: int) -> Recording | None:
    """The recording as its own numbers make it, up to the call."""
    arithmetic = arithmetic_for(recording) or ARITHMETICS[TEXTBOOK]
    trace = Trace(recording, arithmetic, "simulated")
    values = list(recording.values)
    for before in range(call + 1):
        made = trace.simulation(before)
        if not isinstance(made, Simulation):
            return None
        values[before] = made.result
    return replace(recording, values=tuple(values))


def _input_range(recording: Recording) -> QParams | None:
    """The parameters with which the model quantizes its input."""
    for node in recording.program.nodes:
        if INPUT in node.inputs and node.output is not None and not node.output.per_channel:
            return node.output
    return None


def _candidates(
    recording: Recording, call: int, random: np.random.Generator
) -> Iterator[Recording]:
    """The recording with other numbers: another input, or, where the call's operands do not come
    from one, other integers in those that the recording holds."""
    nodes = recording.program.nodes[: call + 1]
    if any(INPUT in node.inputs for node in nodes):
        for x in _inputs(recording, random):
            yield replace(recording, input=x)
        return
    places = {FIRST_CONSTANT - source for node in nodes for source in node.inputs if source < 0}
    drawn = {
        n: (constant, _integers(constant.q.shape, constant.qparams, random))
        for n, constant in enumerate(recording.constants)
        if n in places and isinstance(constant, QTensor) and constant.qparams.dtype in BYTES
    }
    constants = list(recording.constants)
    while drawn:
        for n, (constant, integers) in drawn.items():
            q = next(integers).astype(constant.q.dtype)
            constants[n] = replace(constant, q=readonly(q))
        yield replace(recording, constants=tuple(constants))


def _integers(
    shape: tuple[int, ...], params: QParams, random: np.random.Generator
) -> Iterator[Array]:
    """Over the whole range, its ends, its upper half, and few that are not the zero point."""
    low, high, zero = params.qmin, params.qmax, int(params.zero_point)
    for kind in cycle(range(4)):
        whole = random.integers(low, high + 1, shape)
        yield (
            whole,
            random.choice([low, high], shape),
            random.integers((low + high + 1) // 2, high + 1, shape),
            np.where(random.random(shape) < 0.25, whole, zero),  # noqa: PLR2004 - a quarter
        )[kind]


def _inputs(recording: Recording, random: np.random.Generator) -> Iterator[Array]:
    """Inputs that the quantizer makes such integers of, values half-way between two, and the
    recording's own input, moved a little."""
    shape = recording.input.shape
    params = _input_range(recording)
    if params is None:
        scale = float(np.abs(recording.input).max(initial=1.0)) / 128
        params = QParams.per_tensor(scale, 0, "qint8")
    scale, zero = float(params.scale), int(params.zero_point)
    integers = _integers(shape, params, random)
    while True:
        for q in (next(integers) for _ in range(4)):
            yield readonly(((q - zero) * scale).astype(np.float32))
        halves = random.integers(params.qmin, params.qmax + 1, shape) + 0.5
        yield readonly(((halves - zero) * scale).astype(np.float32))
        noise = random.normal(0, scale, shape)
        yield readonly((recording.input + noise).astype(np.float32))
