"""Which integers every result of a model can have, whatever it is fed: lower and upper bounds.

A bound follows from the operands' bounds by the simulated arithmetic itself, where that never gives
less for more; elsewhere it is the whole range of the result's type, which is always true.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from qdbg.core.arithmetic import INT16, INT32, i32, i64
from qdbg.core.op import Call, NotSimulated, Operand, laid_out
from qdbg.core.program import FIRST_CONSTANT, INPUT, UNKNOWN, Node, Recording
from qdbg.core.quantity import STORAGE, Array, QTensor
from qdbg.core.stage import Stage, Values
from qdbg.core.sums import exact_sums
from qdbg.engine.simulate import simulate
from qdbg.fleet.feed import Machine
from qdbg.fleet.stack import FIXED, IMAGES, MERGED, MOVED, POOLS
from qdbg.ops import registry

INCREASING = POOLS | MOVED | frozenset({"relu", "relu6", "clamp", "identity", "max_pool1d"})
"""Ops that never give less for more; scale and zero point hardly change, so that nothing wraps."""
ADDING = frozenset({"add", "add_relu", "cat", "cat_relu"})
"""Ops that do so, too, but for scales so far apart that integers wrap."""
WEIGHTED = MERGED | IMAGES
TAME = 2.0**20
"""Steps of the result that no operand may exceed: far beyond, float32 and int32 have their own
rules."""


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """The least and the largest integer that each element of a result can have."""

    low: Array
    high: Array


def ranges(recording: Recording, machine: Machine) -> list[Range | None]:
    """One for each call, None where its result is not quantized."""
    found: list[Range | None] = []
    for node in (machine.node(node) for node in recording.program.nodes):
        narrow = None
        try:
            narrow = _narrow(recording, machine, node, found)
        except NotSimulated:  # nothing is known but the type
            narrow = None
        found.append(_whole(node) if narrow is None else narrow)
    return found


def ends(
    recording: Recording, machine: Machine, node: Node, found: list[Range | None]
) -> tuple[Call, Call]:
    """The call with the least and with the largest operands. Raises NotSimulated."""
    layer, threads = recording.program.layers.get(node.layer), recording.environment.threads
    pairs = [
        _constant_ends(recording, source, name)
        if source <= FIRST_CONSTANT
        else _ends(recording, machine, source, found)
        for source, name in zip_longest(node.inputs, node.names[: len(node.inputs)])
    ]
    low, high = (tuple(pair[end] for pair in pairs) for end in (0, 1))
    return Call(node, layer, low, threads), Call(node, layer, high, threads)


def _ends(
    recording: Recording, machine: Machine, source: int, found: list[Range | None]
) -> tuple[Operand, Operand]:
    if source in {INPUT, UNKNOWN}:
        raise NotSimulated("the operand can have any value")
    node, known = machine.node(recording.program.nodes[source]), found[source]
    if known is None or node.output is None:
        raise NotSimulated("the operand can have any value")
    return (
        QTensor(known.low, node.output, node.strides),
        QTensor(known.high, node.output, node.strides),
    )


def _constant_ends(recording: Recording, source: int, name: str) -> tuple[Operand, Operand]:
    """Weights stay what they are; another tensor that no recorded call made may be any."""
    constant = recording.constants[FIRST_CONSTANT - source]
    if name in FIXED or not isinstance(constant, QTensor):
        return constant, constant
    qparams = constant.qparams
    limits = (np.full_like(constant.q, limit) for limit in (qparams.qmin, qparams.qmax))
    low, high = (QTensor(limit, qparams, constant.strides) for limit in limits)
    return low, high


def _whole(node: Node) -> Range | None:
    if node.output is None:
        return None
    dtype = STORAGE[node.output.dtype]
    limits = (node.output.qmin, node.output.qmax)
    return Range(*(np.full(node.shape, limit, dtype) for limit in limits))


def _narrow(
    recording: Recording, machine: Machine, node: Node, found: list[Range | None]
) -> Range | None:
    known = node.op in INCREASING | ADDING | WEIGHTED
    if node.output is None or not known or not node.repeatable:
        return None
    low, high = ends(recording, machine, node, found)
    if any(source <= FIRST_CONSTANT for source in node.inputs):
        return None  # a constant may be another one in another run
    if node.op in WEIGHTED:
        return _weighted(low, high, machine)
    if node.op in ADDING and not _tame(low):
        return None
    made = [simulate(end, machine.arithmetic).result for end in (low, high)]
    return Range(*made) if np.all(made[0] <= made[1]) else None


def _tame(call: Call) -> bool:
    output = call.node.output
    steps = [
        np.abs(limit - x.qparams.zero_point).max(initial=0) * x.qparams.scale
        for x in call.inputs
        if isinstance(x, QTensor)
        for limit in (x.qparams.qmin, x.qparams.qmax)
    ]
    return output is not None and bool(np.sum(steps) < TAME * np.min(output.scale))


# ------------------------------------------------------------------------------ weights


def _weighted(low: Call, high: Call, machine: Machine) -> Range | None:
    """From the least and the largest accumulator: what follows it never gives less for more."""
    op = registry()[low.node.op]
    under, over = laid_out(op, low), laid_out(op, high)
    if not np.all(under["x_q"] <= over["x_q"]):
        return None
    kernel, stages = op.chosen(machine.arithmetic, over)
    if (
        kernel is None
        or kernel.doubt
        or not _sums_hold(under, over, exact=kernel.accumulator == "exact")
    ):
        return None
    sums = _accumulators(under, over)
    made = [_after_sums(stages, over, acc) for acc in sums]
    if any(each is None for each in made):
        return None
    last = [np.moveaxis(m, -1, 1) if op.channels_last else m for m in made if m is not None]
    dtype = STORAGE.get(low.node.dtype, np.uint8)
    bounds = [each.reshape(low.node.shape).astype(dtype) for each in last]
    return Range(*bounds) if np.all(bounds[0] <= bounds[1]) else None


def _sums_hold(under: Values, over: Values, *, exact: bool) -> bool:
    """Whether the exact sums bound those of the kernel. A pair that is cut off from above makes a
    sum smaller, which a bound from above allows; but not one that is cut off in all runs, and not
    where zero points of weights are taken off afterwards."""
    if exact:
        return True
    if np.any(under["w_zp"]):
        return False
    w, bottom = i32(under["w_q"]), int(under["x_q"].max(initial=0))
    always_above = 2 * bottom * int(w.max(initial=0)) > INT16[1]
    always_below = 2 * bottom * int(w.min(initial=0)) < INT16[0]
    return not always_above and not always_below


def _accumulators(under: Values, over: Values) -> tuple[Array, Array]:
    """The least and the largest acc: int64, shape of the sums."""
    zero = i32(under["x_zp"])
    least, most = i32(under["x_q"]) - zero, i32(over["x_q"]) - zero
    w = i32(under["w_q"]) - i32(under["w_zp"]).reshape(-1, 1)
    up, down = np.maximum(w, 0), np.minimum(w, 0)
    return (
        exact_sums(least, up) + exact_sums(most, down),
        exact_sums(most, up) + exact_sums(least, down),
    )


def _after_sums(stages: tuple[Stage, ...], values: Values, acc: Array) -> Array | None:
    """The result that belongs to the accumulator; None where numbers are so large that the
    arithmetic no longer gives more for more."""
    if np.abs(acc).max(initial=0) > INT32[1] // 2:
        return None
    made = dict(values) | {"acc": i32(acc)}
    place = next(n for n, stage in enumerate(stages) if stage.output == "acc")
    for stage in stages[place + 1 :]:
        made[stage.output] = stage.run(made)
    if np.abs(i64(made.get("b_q", 0))).max(initial=0) > INT32[1] // 2:
        return None
    steps = np.asarray(made.get("s", np.inf), np.float64)
    calm = bool(np.isfinite(steps).all() and np.abs(steps).max(initial=0) < INT32[1] // 2)
    return np.asarray(made[stages[-1].output]) if calm else None
