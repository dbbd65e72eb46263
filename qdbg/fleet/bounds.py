"""Can a layer's pairs leave int16 on any input at all? A proof that they cannot, or a pair."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qdbg.core.arithmetic import INT16, i32
from qdbg.core.op import Call, Kernel, NotSimulated, laid_out
from qdbg.core.pairs import pair_members
from qdbg.core.program import INPUT, Node, Recording
from qdbg.core.quantity import Array
from qdbg.core.stage import Values
from qdbg.core.sums import in_groups
from qdbg.engine.simulate import UNREPEATABLE
from qdbg.fleet.feed import Machine
from qdbg.fleet.ranges import Range, ends
from qdbg.ops import registry

EXACT, PROVED, REACHED, POSSIBLE, UNKNOWN = "exact", "never", "can", "not excluded", "unknown"
"""The kernel adds exactly; no bytes of the layer's input make a pair leave int16; an input of the
model does so; bytes would, and whether the layers before can make them is not known; the kernel's
pairs are not known."""
FINITE = "never if finite"
"""Of a layer that quantizes its operand itself: no finite one makes a pair leave int16. NaN and
infinities, which have no range, may become any byte, and finite inputs of the model may lead to
them: a square root before the layer, say."""
BYTES = (0, 255)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two products that leave int16 together."""

    channel: int
    number: int
    """Which pair of the channel it is, in the kernel's order."""
    k: tuple[int, ...]
    """The inputs: one, where the pair has no second one."""
    weights: tuple[int, ...]
    inputs: tuple[int, ...]
    """Bytes with which the sum is furthest outside."""
    sum: int
    excess: int
    """By how much it leaves int16."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What is known of one layer on one machine."""

    call: str
    status: str
    reason: str
    low: int
    high: int
    """The least and the largest byte that the layer's input can have; where the layer quantizes a
    float32 operand itself and it must be finite for what is said, those of a finite one."""
    channels: int
    able: tuple[int, ...]
    """The channels that have a pair which could leave int16."""
    largest: int
    """The largest size of a pair's sum, before saturation."""
    worst: Pair | None


def bounds(recording: Recording, machine: Machine, known: list[Range | None]) -> list[Bound]:
    """One for each call that sums products; `known` are the ranges of all results."""
    found = []
    for node in (machine.node(node) for node in recording.program.nodes):
        op = registry().get(node.op)
        if op is not None and op.kernel is not None:
            found.append(_bound(recording, machine, node, known))
    return found


def _bound(recording: Recording, machine: Machine, node: Node, known: list[Range | None]) -> Bound:
    try:
        values, windows, kernel = _kernel(recording, machine, node, known)
    except NotSimulated as reason:
        return Bound(node.name, UNKNOWN, str(reason), *BYTES, 0, (), 0, None)
    if kernel.accumulator == "exact":
        channels = len(values["w_q"])
        return Bound(node.name, EXACT, kernel.why, *_span(*windows), channels, (), 0, None)
    found = _of_pairs(recording, node, values, kernel, windows)
    if found.status == PROVED and _is_dynamic(node):
        every = tuple(np.full_like(windows[0], byte) for byte in BYTES)
        whole = _of_pairs(recording, node, values, kernel, (every[0], every[1]))
        return whole if whole.status == PROVED else replace(found, status=FINITE)
    return found


def _is_dynamic(node: Node) -> bool:
    return node.op.endswith("dynamic")


def _span(low: Array, high: Array) -> tuple[int, int]:
    return int(low.min(initial=BYTES[1])), int(high.max(initial=BYTES[0]))


def _kernel(
    recording: Recording, machine: Machine, node: Node, known: list[Range | None]
) -> tuple[dict[str, Array], tuple[Array, Array], Kernel]:
    """The operands, the windows of the inputs' bounds, and who sums the products. Raises
    NotSimulated."""
    op = registry()[node.op]
    if not node.repeatable or op.kernel is None:
        raise NotSimulated(UNREPEATABLE)
    values, low, high = _inputs(recording, machine, node, known)
    kernel = op.kernel(machine.arithmetic, values)
    if not kernel.doubt:
        op.stages(machine.arithmetic, values)  # some engines do not have the op
    return values, (low, high), kernel


def _inputs(
    recording: Recording, machine: Machine, node: Node, known: list[Range | None]
) -> tuple[dict[str, Array], Array, Array]:
    """The operands with the largest inputs, and the windows [rows, groups, K] of the least and the
    largest ones; of a float32 operand those of any finite one. Kernels that look at their inputs
    see the worst ones: no weight gives a larger product with another byte, none below 0 counts.
    Raises NotSimulated."""
    op = registry()[node.op]
    if _is_dynamic(node):
        first = recording.operand(node.inputs[0])
        layer = recording.program.layers.get(node.layer)
        operands = [recording.operand(source) for source in node.inputs]
        if first is None or any(o is None for o in operands):
            raise NotSimulated("one of its operands is of a kind that qdbg does not record")
        values = laid_out(op, Call(node, layer, tuple(o for o in operands if o is not None)))
        size = values["w_q"].shape[-1]
        top = min(BYTES[1], int(values["top"]) + 1)  # a tie may round one step beyond
        return values, np.zeros((1, 1, size), np.uint8), np.full((1, 1, size), top, np.uint8)
    under, over = (laid_out(op, end) for end in ends(recording, machine, node, known))
    w = over["w_q"]
    low, high = (in_groups(each["x_q"], w)[0].swapaxes(0, 1) for each in (under, over))
    return over, low, high


def _of_pairs(
    recording: Recording,
    node: Node,
    values: Values,
    kernel: Kernel,
    windows: tuple[Array, Array],
) -> Bound:
    w, (low, high), span = i32(values["w_q"]), windows, _span(*windows)
    if kernel.skips_padding:  # a position in the padding adds nothing
        low = np.minimum(low, 0)
    least, most = low.min(axis=0), high.max(axis=0)
    per_group = len(w) // len(least)
    group = np.arange(len(w)) // per_group
    up, down = _extremes(w, least[group], most[group], kernel.block)
    excess = np.maximum(up - INT16[1], INT16[0] - down)
    able = tuple(int(c) for c in np.flatnonzero((excess > 0).any(axis=1)))
    largest = int(max(up.max(initial=0), -down.min(initial=0)))
    if not able:
        return Bound(node.name, PROVED, "", *span, len(w), (), largest, None)
    channel, number = (int(i) for i in np.unravel_index(excess.argmax(), excess.shape))
    worst = _pair(w, (least[group], most[group]), kernel.block, channel, number)
    own = (low[:, group[channel]], high[:, group[channel]])
    free = _is_free(recording, node) and _meets(worst, own)
    status = REACHED if free else POSSIBLE
    return Bound(node.name, status, "", *span, len(w), able, largest, worst)


def _extremes(w: Array, low: Array, high: Array, block: int) -> tuple[Array, Array]:
    """The largest and the least sum of each pair: int32 [C, pairs] from weights [C, K] and the
    bounds [C, K] of the inputs that each channel takes."""
    first, second, has_second = pair_members(w.shape[-1], block)
    ends_of = (w * i32(low), w * i32(high))
    most, least = np.maximum(*ends_of), np.minimum(*ends_of)
    up = most[:, first] + np.where(has_second, most[:, second], 0)
    down = least[:, first] + np.where(has_second, least[:, second], 0)
    return up, down


def _pair(w: Array, ends_of: tuple[Array, Array], block: int, channel: int, number: int) -> Pair:
    first, second, has_second = pair_members(w.shape[-1], block)
    k = (int(first[number]), *([int(second[number])] if has_second[number] else []))
    weights = tuple(int(w[channel, i]) for i in k)
    low, high = (tuple(int(limit[channel, i]) for i in k) for limit in ends_of)
    sides = []
    for upward in (True, False):
        limits = zip(weights, low, high, strict=True)
        inputs = tuple(most if (x > 0) == upward else least for x, least, most in limits)
        total = sum(x * q for x, q in zip(weights, inputs, strict=True))
        sides.append((max(total - INT16[1], INT16[0] - total), inputs, total))
    excess, inputs, total = max(sides)
    return Pair(channel, number, k, weights, inputs, total, excess)


def _is_free(recording: Recording, node: Node) -> bool:
    """Whether the layer's input is the model's own input, quantized: it can have any bytes."""
    source = node.inputs[0] if node.inputs else INPUT
    if source < 0:
        return False
    before = recording.program.nodes[source]
    return before.op == "quantize" and before.inputs[:1] == (INPUT,)


def _meets(pair: Pair, windows: tuple[Array, Array]) -> bool:
    """Whether in one and the same window, [rows, K] at the least and the largest, the pair's inputs
    can have these bytes: elsewhere one of them may lie in the padding."""
    low, high = windows
    fits = [(low[:, k] <= q) & (q <= high[:, k]) for k, q in zip(pair.k, pair.inputs, strict=True)]
    return bool(np.logical_and.reduce(fits).any())
