"""The windows of an image that a kernel's positions see: no arithmetic, only places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from qdbg.core.quantity import Array


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

    A view of memory that has the channels side by side, as the image itself most often has.
    """
    last = np.moveaxis(image, 1, -1)
    if geometry.padded:
        numbers = list(zip(last.shape[1:-1], geometry.padding, strict=True))
        size = [n + 2 * p for n, p in numbers]
        room = np.full((len(last), *size, last.shape[-1]), fill, image.dtype)
        room[(slice(None), *(slice(p, p + n) for n, p in numbers))] = last
    else:
        room = np.ascontiguousarray(last)
    axes = tuple(range(2, image.ndim))
    views = sliding_window_view(np.moveaxis(room, -1, 1), geometry.extent, axis=axes)
    steps = tuple(slice(None, None, s) for s in geometry.stride)
    taps = tuple(slice(None, None, d) for d in geometry.dilation)
    return views[(slice(None), slice(None), *steps, *taps)]


class Windows:
    """An array [N, out …, groups, K] of which only parts are laid out, when they are asked for: as
    a whole it is as many times larger than the image as the kernel has positions."""

    def __init__(self, found: Array, groups: int) -> None:
        self._found = found
        self._groups = groups
        spatial = (found.ndim - 2) // 2
        size = found.shape[1] // groups * int(np.prod(found.shape[2 + spatial :]))
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
    size = channels // groups * int(np.prod(found.shape[2 + spatial :]))
    shape = (n, *found.shape[2 : 2 + spatial], groups)
    if groups == channels > 1:
        return np.moveaxis(split.transpose(*taps, 2, 0, *out, 1).reshape(size, *shape), 0, -1)
    return split.transpose(0, *out, 1, *taps, 2).reshape(*shape, size)


def per_axis(value: object, axes: int) -> tuple[int, ...]:
    """A number for each spatial axis, from one for all or one each."""
    if isinstance(value, Sequence):
        found = tuple(int(v) for v in value)
        return found * axes if len(found) == 1 else found
    return (int(str(value)),) * axes
