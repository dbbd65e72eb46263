"""Where moves take each element from, in numpy's terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from qdbg.core.op import BYTES, Call, NotSimulated, quantized_operand
from qdbg.core.quantity import Array
from qdbg.ops._lanes import strides_of

Mover: TypeAlias = Callable[[Array, Call], Array]


def reshaped(x: Array, call: Call) -> Array:
    """The same elements, row by row, in the shape of the result."""
    return x.reshape(call.node.shape)


def same(x: Array, call: Call) -> Array:
    """Everything stays in its place."""
    del call
    return x


def restrided(x: Array, call: Call) -> Array:
    """Everything stays in its place, only the strides of axes of length 1 are others. Raises
    NotSimulated for everything else."""
    own = strides_of(quantized_operand(call, 0, (*BYTES, "qint32")))
    steps = zip(x.shape, own, call.setting("stride"), strict=False)
    alike = tuple(call.setting("size")) == x.shape and not call.setting("storage_offset")
    if not alike or any(size > 1 and one != other for size, one, other in steps):
        raise NotSimulated("it shows the memory of its operand in another way")
    return x


def dropped(x: Array, call: Call) -> Array:
    """Nothing is dropped at inference. Raises NotSimulated in training."""
    if call.setting("train"):
        raise NotSimulated("it drops elements by chance, as in training")
    return x


def permuted(x: Array, call: Call) -> Array:
    """The axes in another order."""
    return np.transpose(x, call.setting("dims"))


def swapped(first: str, second: str) -> Mover:
    """Two axes take each other's place."""
    return lambda x, call: np.swapaxes(x, call.setting(first), call.setting(second))


def axis_moved(x: Array, call: Call) -> Array:
    """Axes go to another place, the others keep their order."""
    return np.moveaxis(x, call.setting("source"), call.setting("destination"))


def transposed(x: Array, call: Call) -> Array:
    """All axes in reverse."""
    del call
    return x.T


def last_two_swapped(x: Array, call: Call) -> Array:
    """Rows become columns."""
    del call
    return np.swapaxes(x, -1, -2)


def along(x: Array, axis: int, places: slice) -> Array:
    """Some places along an axis."""
    return x[tuple(places if i == axis % x.ndim else slice(None) for i in range(x.ndim))]


def sliced(x: Array, call: Call) -> Array:
    """From start to before end, every so many steps."""
    places = slice(call.setting("start"), call.setting("end"), call.setting("step", 1))
    return along(x, call.setting("dim", 0), places)


def narrowed(x: Array, call: Call) -> Array:
    """Some neighbours along an axis."""
    axis, start = call.setting("dim"), call.setting("start")
    if not isinstance(start, int):
        raise NotSimulated("its start is a tensor")
    start %= max(1, x.shape[axis])
    return along(x, axis, slice(start, start + call.setting("length")))


def selected(x: Array, call: Call) -> Array:
    """One place of an axis, which is gone then."""
    return np.asarray(np.take(x, call.setting("index"), call.setting("dim")))


def indexed(x: Array, call: Call) -> Array:
    """The listed places of an axis."""
    return np.take(x, np.asarray(call.named("index")), call.setting("dim"))


def expanded(x: Array, call: Call) -> Array:
    """Axes of length 1 repeat their only element."""
    return np.broadcast_to(x, call.node.shape)


def repeated(name: str) -> Mover:
    """The whole tensor several times along each axis."""
    return lambda x, call: np.tile(x, call.setting(name))


def each_repeated(x: Array, call: Call) -> Array:
    """Each element several times in a row."""
    return np.repeat(x, call.setting("repeats"), call.setting("dim"))


def flipped(x: Array, call: Call) -> Array:
    """Axes backwards."""
    return np.flip(x, tuple(call.setting("dims")))


def rotated(x: Array, call: Call) -> Array:
    """Quarter turns in the plane of two axes."""
    return np.rot90(x, call.setting("k", 1), call.setting("dims", [0, 1]))


def diagonal(x: Array, call: Call) -> Array:
    """The elements whose places on two axes differ by the offset."""
    axes = call.setting("dim1", 0), call.setting("dim2", 1)
    return np.diagonal(x, call.setting("offset", 0), *axes)


def unfolded(x: Array, call: Call) -> Array:
    """Windows along an axis; the place inside a window is the last axis."""
    axis, size, step = (call.setting(k) for k in ("dimension", "size", "step"))
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis % x.ndim)
    return along(windows, axis % x.ndim, slice(None, None, step))


def unbound(x: Array, call: Call) -> Array:
    """One place of an axis for each result."""
    return np.asarray(np.take(x, call.setting("part", 0), call.setting("dim", 0)))


def parted(name: str) -> Mover:
    """One of the parts of an axis: all of a size but the last one, or of listed sizes."""

    def move(x: Array, call: Call) -> Array:
        size, part, axis = call.setting(name), call.setting("part", 0), call.setting("dim", 0)
        ends = np.cumsum([0, *size]) if isinstance(size, list) else np.arange(part + 2) * size
        return along(x, axis, slice(int(ends[part]), int(ends[part + 1])))

    return move


def chunked(x: Array, call: Call) -> Array:
    """One of so many parts of an axis, all of a size but the last one."""
    axis, part = call.setting("dim", 0), call.setting("part", 0)
    size = -(-x.shape[axis] // call.setting("chunks"))
    return along(x, axis, slice(part * size, (part + 1) * size))


def evenly_split(x: Array, call: Call) -> Array:
    """One of the parts of an axis: so many parts whose sizes differ by at most 1, or parts that
    end at the listed places."""
    axis, ends = call.setting("dim", 0), call.setting("indices", call.setting("sections"))
    if ends is None:
        raise NotSimulated("it takes the places where it splits from a tensor")
    if isinstance(ends, list):
        starts = [None, *ends, None]
        part = call.setting("part", 0)
        return along(x, axis, slice(starts[part], starts[part + 1]))
    return np.asarray(np.array_split(x, ends, axis)[call.setting("part", 0)])


def pixels_shuffled(x: Array, call: Call) -> Array:
    """Blocks of r·r channels become blocks of r·r pixels."""
    r, (*batch, channels, height, width) = call.setting("upscale_factor"), x.shape
    cut = x.reshape(-1, channels // r**2, r, r, height, width)
    return cut.transpose(0, 1, 4, 2, 5, 3).reshape(*batch, channels // r**2, height * r, width * r)


def pixels_unshuffled(x: Array, call: Call) -> Array:
    """Blocks of r·r pixels become blocks of r·r channels."""
    r, (*batch, channels, height, width) = call.setting("downscale_factor"), x.shape
    cut = x.reshape(-1, channels, height // r, r, width // r, r)
    return cut.transpose(0, 1, 3, 5, 2, 4).reshape(*batch, channels * r**2, height // r, width // r)


def channels_shuffled(x: Array, call: Call) -> Array:
    """The channels of the groups in turn: the first of each group, the second of each group …"""
    groups, (batch, channels, *image) = call.setting("groups"), x.shape
    cut = x.reshape(batch, groups, channels // groups, *image)
    return np.swapaxes(cut, 1, 2).reshape(x.shape)


def places(call: Call, move: Mover, x: Array) -> Array:
    """For each element of the result the flat place in the operand. Raises NotSimulated."""
    try:
        source = move(np.arange(x.size).reshape(x.shape), call)
    except (TypeError, ValueError, IndexError) as error:
        raise NotSimulated(f"its settings are not understood: {error}") from error
    if tuple(source.shape) != call.node.shape:
        raise NotSimulated("its settings do not lead to the shape of its result")
    return np.asarray(source)
