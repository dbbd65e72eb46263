"""Inputs that tell causes apart: on them the tied hypotheses give different integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import FIRST_CONSTANT, INPUT, Recording
from qdbg.core.quantity import Array, QParams, QTensor, readonly
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.diagnose import results
from qdbg.engine.simulate import Simulation
from qdbg.engine.telling import doubt
from qdbg.engine.trace import Trace
from qdbg.engine.verdict import Verdict
from qdbg.names import TEXTBOOK

TRIES, LEAST = 400, 24
"""How many inputs are looked at, and how many at least however long that takes."""
BYTES = ("quint8", "qint8")
UNCHANGED = Verdict((), 0, 0)
"""The call as the arithmetic has it, which an input must tell from a cause in doubt."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Numbers on which causes differ that agreed on others."""

    fed: tuple[Recording, ...]
    """The recording fed each of them, with the integers that the captured engine's arithmetic gives
    up to the call."""
    tried: int
    """How many inputs were looked at."""


def separating_inputs(
    trace: Trace,
    call: int,
    causes: Sequence[Verdict],
    seed: int = 0,
    *,
    in_doubt: bool = False,
    go_on: Callable[[], bool] = lambda: True,
) -> Found:
    """Inputs on which causes differ, also the variants of one, and where the call's integers are
    `in_doubt` also from the arithmetic itself, with integers that say enough.

    The layers before the call are simulated as the captured engine computes them. It ends where all
    are told apart, after LEAST inputs where only variants of a hypothesis are not, after TRIES
    inputs, when `go_on` says no, or where a layer before is not simulated.
    """
    rivals = (UNCHANGED, *causes) if in_doubt else tuple(causes)
    labels: list[tuple[int, ...]] = [()] * len(rivals)
    found: list[Recording] = []
    tried = 0
    for other in _candidates(trace.recording, call, np.random.default_rng(seed)):
        apart = len(set(labels)) == len(rivals)
        enough = tried >= LEAST and (_hypotheses_apart(rivals, labels) or not go_on())
        if apart or enough or tried == TRIES:
            break
        tried += 1
        made = _run(other, call)
        if made is None:
            break
        held = results(Trace(made, trace.arithmetic), call, rivals)
        if in_doubt and all(_says_little(trace, call, each) for each in held[1:]):
            continue
        finer = [
            (*label, 0 if each is None else hash(each.tobytes()))
            for label, each in zip(labels, held, strict=True)
        ]
        if len(set(finer)) > len(set(labels)):
            found.append(made)
            labels = finer
    return Found(tuple(found), tried)


def _hypotheses_apart(causes: Sequence[Verdict], labels: Sequence[tuple[int, ...]]) -> bool:
    """Whether no two causes by other hypotheses have given the same; variants of one may have."""
    ids: dict[tuple[int, ...], set[tuple[str, ...]]] = {}
    for cause, label in zip(causes, labels, strict=True):
        ids.setdefault(label, set()).add(cause.ids)
    return all(len(each) == 1 for each in ids.values())


def _says_little(trace: Trace, call: int, made: Array | None) -> bool:
    return made is None or bool(doubt(made, trace.nodes[call].output))


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


def _drawn_from(indices: Array, random: np.random.Generator) -> Iterator[Array]:
    low, high = int(indices.min()), int(indices.max())
    while True:
        yield readonly(random.integers(low, high + 1, indices.shape))


def _inputs(recording: Recording, random: np.random.Generator) -> Iterator[Array]:
    """Inputs that the quantizer makes such integers of, values half-way between two, and the
    recording's own input, moved a little."""
    shape = recording.input.shape
    if recording.input.dtype == np.int64:  # indices: only these are known to have rows
        yield from _drawn_from(recording.input, random)
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
