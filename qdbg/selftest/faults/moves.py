"""Wrong rules of moves: integers taken from other places."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdbg.core.op import Call
from qdbg.core.quantity import Array
from qdbg.ops import _moves, moves, pad
from qdbg.ops._moves import Mover
from qdbg.selftest.faults import Fault

PLACES, PAIRS = _moves.places, pad._pairs


def _moved(name: str, case: str, op: str, other: Mover) -> Fault:
    """One move goes elsewhere; what does not fit the shape of its result stays right."""

    def wrong(call: Call, move: Mover, x: Array) -> Array:
        right = PLACES(call, move, x)
        if call.node.op != op:
            return right
        found = np.asarray(other(np.arange(x.size).reshape(x.shape), call))
        return found.reshape(right.shape) if found.size == right.size else right

    return Fault(f"{op} {name}", case, ((moves, "places", wrong),))


def _later(move: Mover) -> Mover:
    """Everything one place further on along the last axis."""
    return lambda x, call: move(np.roll(x, -1, -1), call)


def sliced_without_step(x: Array, call: Call) -> Array:
    """Neighbours in place of every so many-th element."""
    axis = call.setting("dim", 0) % x.ndim
    whole = _moves.along(x, axis, slice(call.setting("start"), None))
    return _moves.along(whole, axis, slice(0, call.node.shape[axis]))


def unfolded_densely(x: Array, call: Call) -> Array:
    """Windows that move by one place."""
    axis = call.setting("dimension") % x.ndim
    windows = np.lib.stride_tricks.sliding_window_view(x, call.setting("size"), axis)
    return _moves.along(windows, axis, slice(0, call.node.shape[axis]))


def part_before(x: Array, call: Call) -> Array:
    """The parts start where even ones would, without the longer ones before them."""
    axis, part = call.setting("dim", 0) % x.ndim, call.setting("part", 0)
    size = call.node.shape[axis]
    return _moves.along(x, axis, slice(part * size, (part + 1) * size))


def pixels_by_columns(x: Array, call: Call) -> Array:
    """Each block is filled column by column."""
    r, (*_, channels, height, width) = call.setting("upscale_factor"), x.shape
    cut = x.reshape(-1, channels // r**2, r, r, height, width)
    return cut.transpose(0, 1, 4, 3, 5, 2)


def channels_by_columns(x: Array, call: Call) -> Array:
    """Each block is read column by column."""
    r, (*_, channels, height, width) = call.setting("downscale_factor"), x.shape
    cut = x.reshape(-1, channels, height // r, r, width // r, r)
    return cut.transpose(0, 1, 5, 3, 2, 4)


def shuffled_back(x: Array, call: Call) -> Array:
    """As many groups as there should be channels in one."""
    groups, (batch, channels, *image) = call.setting("groups"), x.shape
    return np.swapaxes(x.reshape(batch, channels // groups, groups, *image), 1, 2)


def swapped(x: Array, call: Call) -> Array:
    """The two axes change places, and none between them moves up."""
    ends = (int(np.ravel(call.setting(name))[0]) for name in ("source", "destination"))
    return np.swapaxes(x, *ends)


def edge_repeated(x: Array, call: Call) -> Array:
    """The mirror stands outside the last element."""
    return np.pad(x, PAIRS(call, x.ndim), mode="symmetric")


def rows_last(call: Call, axes: int) -> list[tuple[int, int]]:
    """The padding of rows and columns changes places."""
    *others, rows, columns = PAIRS(call, axes)
    return [*others, columns, rows]


def end_before_start(call: Call, axes: int) -> list[tuple[int, int]]:
    """The padding before an axis comes behind it."""
    return [(b, a) for a, b in PAIRS(call, axes)]


def _pad(name: str, attribute: str, wrong: Any) -> Fault:
    return Fault(name, "pad", ((pad, attribute, wrong),))


FAULTS = (
    _moved("reads columns first", "shape", "view", lambda x, call: x.T),
    _moved(
        "takes the inverse order", "turn", "permute",
        lambda x, call: np.transpose(x, np.argsort(np.array(call.setting("dims")) % x.ndim)),
    ),
    _moved("moves nothing", "turn", "transpose", lambda x, call: x),
    _moved("swaps the two axes", "turn", "movedim", swapped),
    _moved("turns the first axis", "turn", "flip", lambda x, call: np.flip(x, 0)),
    _moved(
        "turns the other way", "turn", "rot90",
        lambda x, call: np.rot90(x, -call.setting("k", 1), call.setting("dims", [0, 1])),
    ),
    _moved("starts at the end", "turn", "diagonal", _later(_moves.diagonal)),
    _moved("forgets the step", "slice", "slice", sliced_without_step),
    _moved(
        "counts from the end", "choose", "select",
        lambda x, call: np.take(x, -1 - call.setting("index"), call.setting("dim")),
    ),
    _moved(
        "takes the neighbours", "choose", "index_select",
        lambda x, call: np.take(
            x, np.asarray(call.named("index")) + 1, call.setting("dim"), mode="wrap"
        ),
    ),
    _moved("moves by one place", "choose", "unfold", unfolded_densely),
    _moved("starts one place late", "choose", "narrow", _later(_moves.narrowed)),
    _moved("ignores the longer parts before", "parts", "tensor_split", part_before),
    _moved("gives the last places first", "parts", "chunk",
           lambda x, call: _moves.chunked(np.flip(x, call.setting("dim", 0)), call)),
    _moved(
        "repeats each element", "again", "repeat",
        lambda x, call: np.repeat(x, int(np.prod(call.node.shape)) // max(1, x.size)),
    ),
    _moved(
        "repeats the whole", "again", "repeat_interleave",
        lambda x, call: np.concatenate([x] * call.setting("repeats"), call.setting("dim")),
    ),
    _moved("goes by columns", "pixels", "pixel_shuffle", pixels_by_columns),
    _moved("goes by columns", "pixels", "pixel_unshuffle", channels_by_columns),
    _moved("swaps groups and channels", "pixels", "channel_shuffle", shuffled_back),
    _pad("the mirror repeats the edge", "_mirrored", edge_repeated),
    _pad("padding of rows goes around columns", "_pairs", rows_last),
    _pad("padding before comes behind", "_pairs", end_before_start),
)  # fmt: skip
