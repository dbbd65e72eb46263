"""The windows of an image that a kernel's positions see: no arithmetic, only places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """The pixels [N, C, out …, kernel …] of an image [N, C, …]; outside it there is `fill`."""
    around = [(0, 0), (0, 0), *((p, p) for p in geometry.padding)]
    padded = np.pad(image, around, constant_values=fill) if geometry.padded else image
    axes = tuple(range(2, image.ndim))
    views = sliding_window_view(padded, geometry.extent, axis=axes)
    steps = tuple(slice(None, None, s) for s in geometry.stride)
    taps = tuple(slice(None, None, d) for d in geometry.dilation)
    return views[(slice(None), slice(None), *steps, *taps)]


def in_k_order(found: Array, groups: int) -> Array:
    """[N, out …, groups, K] from [N, C, out …, kernel …]: k goes over the kernel's positions in
    rows, and at each over the channels of the group."""
    spatial = (found.ndim - 2) // 2
    n, channels = found.shape[:2]
    split = found.reshape(n, groups, channels // groups, *found.shape[2:])
    out = range(3, 3 + spatial)
    taps = range(3 + spatial, 3 + 2 * spatial)
    moved = split.transpose(0, *out, 1, *taps, 2)
    size = int(np.prod(moved.shape[spatial + 2 :]))
    return moved.reshape(*moved.shape[: spatial + 2], size)


def per_axis(value: object, axes: int) -> tuple[int, ...]:
    """A number for each spatial axis, from one for all or one each."""
    if isinstance(value, Sequence):
        found = tuple(int(v) for v in value)
        return found * axes if len(found) == 1 else found
    return (int(str(value)),) * axes
