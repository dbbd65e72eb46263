"""The windows of an image that a kernel's positions see: no arithmetic, only places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.lib.stride_tricks import as_strided

from qdbg.core.quantity import Array, QTensor


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a window moves over an image; one number per spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def padded(self) -> bool:
        """Whether some windows reach beyond the image."""
        return any(self.padding)

    @property
    def extent(self) -> tuple[int, ...]:
        """How many pixels a window spans."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))


def windows(image: Array, geometry: Geometry, fill: int) -> Array:
    """The pixels [N, C, out …, kernel …] of an image [N, C, …]; outside it there is `fill`.

    A view of memory that has the channels side by side, as the image itself most often has. Raises
    ValueError for a stride or dilation below 1.
    """
    if min((*geometry.stride, *geometry.dilation)) < 1:
        raise ValueError("windows and their pixels lie one pixel apart at least")
    around = surrounded(image, [(p, p) for p in geometry.padding], fill)
    sizes, steps = around.shape[2:], around.strides[2:]
    moves = zip(sizes, geometry.extent, geometry.stride, strict=True)
    out = tuple(max(0, (size - extent) // stride + 1) for size, extent, stride in moves)
    apart = tuple(step * s for step, s in zip(steps, geometry.stride, strict=True))
    taps = tuple(step * d for step, d in zip(steps, geometry.dilation, strict=True))
    shape = (*around.shape[:2], *out, *geometry.kernel)
    strides = (*around.strides[:2], *apart, *taps)
    return as_strided(around, shape, strides, writeable=False)


def surrounded(image: Array, more: Sequence[tuple[int, int]], fill: int) -> Array:
    """The image [N, C, …] with so many more pixels before and after each spatial axis, its channels
    side by side in memory."""
    last = image.transpose(0, *range(2, image.ndim), 1)
    if any(map(any, more)):
        size = [n + a + b for n, (a, b) in zip(last.shape[1:-1], more, strict=True)]
        room = np.full((len(last), *size, last.shape[-1]), fill, image.dtype)
        inside = (slice(a, a + n) for n, (a, _) in zip(last.shape[1:-1], more, strict=True))
        room[(slice(None), *inside)] = last
    else:
        room = np.ascontiguousarray(last)
    return room.transpose(0, -1, *range(1, room.ndim - 1))


class Windows:
    """An array [N, out …, groups, K] of which only parts are laid out, when they are asked for: as
    a whole it is as many times larger than the image as the kernel has positions."""

    def __init__(self, found: Array, groups: int) -> None:
        self._found = found
        self._groups = groups
        spatial = (found.ndim - 2) // 2
        size = found.shape[1] // groups * prod(found.shape[2 + spatial :])
        self.shape = (found.shape[0], *found.shape[2 : 2 + spatial], groups, size)
        self.ndim = len(self.shape)
        self.dtype = found.dtype

    def __getitem__(self, index: tuple[slice, ...]) -> Array:
        """The windows of some samples and some positions."""
        first, *places = (*index, slice(None))
        return in_k_order(self._found[(first, slice(None), *places)], self._groups)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(in_k_order(self._found, self._groups), dtype)


def in_k_order(found: Array, groups: int) -> Array:
    """[N, out …, groups, K] from [N, C, out …, kernel …]: k goes over the kernel's positions in
    rows, and at each over the channels of the group.

    Where groups have one channel each, k is the slowest axis in memory: such sums are made of one
    product for all groups at a time.
    """
    spatial = (found.ndim - 2) // 2
    n, channels = found.shape[:2]
    split = found.reshape(n, groups, channels // groups, *found.shape[2:])
    out = tuple(range(3, 3 + spatial))
    taps = tuple(range(3 + spatial, 3 + 2 * spatial))
    size = channels // groups * prod(found.shape[2 + spatial :])
    shape = (n, *found.shape[2 : 2 + spatial], groups)
    if groups == channels > 1:
        by_k = split.transpose(*taps, 2, 0, *out, 1).reshape(size, *shape)
        return by_k.transpose(*range(1, by_k.ndim), 0)
    return split.transpose(0, *out, 1, *taps, 2).reshape(*shape, size)


_IN_ROWS: WeakKeyDictionary[QTensor, Array] = WeakKeyDictionary()


def in_rows(weight: QTensor) -> Array:
    """Weights [C, K] from [C, channels, kernel …], k as `in_k_order` has it. Where that takes a
    copy it is kept as long as the weights are: a net's weights are many."""
    found = _IN_ROWS.get(weight)
    if found is None:
        q = weight.q
        found = q.transpose(0, *range(2, q.ndim), 1).reshape(len(q), prod(q.shape[1:]))
        _IN_ROWS[weight] = found
    return found


def per_axis(value: object, axes: int) -> tuple[int, ...]:
    """A number for each spatial axis, from one for all or one each."""
    if isinstance(value, Sequence):
        found = tuple(int(v) for v in value)
        return found * axes if len(found) == 1 else found
    return (int(str(value)),) * axes
