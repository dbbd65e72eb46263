"""Windows of pooling, with what lies outside the image told apart."""

from __future__ import annotations

from math import prod

from qdbg.core.op import Call
from qdbg.core.quantity import Array, QTensor
from qdbg.ops._lanes import row_major
from qdbg.ops._windows import Geometry, per_axis, surrounded, windows


def pooled(call: Call, x: Array, axes: int, *, dilates: bool = False) -> tuple[Array, Geometry]:
    """x [N, C, …] and how the window moves over it; without a batch N is 1."""
    kernel = per_axis(call.setting("kernel_size"), axes)
    stride = per_axis(call.setting("stride") or kernel, axes)
    padding = per_axis(call.setting("padding", 0) or 0, axes)
    dilation = per_axis(call.setting("dilation", 1) or 1, axes) if dilates else (1,) * axes
    image = x if x.ndim == axes + 2 else x[None]
    return image, Geometry(kernel, stride, padding, dilation)


def pool_windows(image: Array, geometry: Geometry, out: tuple[int, ...], fill: int) -> Array:
    """[N, C, out …, taps]: `fill` outside the image, also where ceil_mode reaches beyond it. The
    taps are the slowest axis in memory, the channels the fastest."""
    more = []
    moves = (geometry.stride, geometry.extent, geometry.padding)
    for size, n, stride, extent, padding in zip(image.shape[2:], out, *moves, strict=True):
        more.append((padding, max(padding, (n - 1) * stride + extent - size - padding)))
    flat = Geometry(geometry.kernel, geometry.stride, (0,) * len(out), geometry.dilation)
    found = windows(surrounded(image, more, fill), flat, fill)
    cut = found[(slice(None), slice(None), *(slice(0, n) for n in out))]
    axes = tuple(range(2, image.ndim))
    taps = cut.transpose(*(axis + len(out) for axis in axes), 0, *axes, 1)
    by_tap = taps.reshape(prod(geometry.kernel), len(image), *out, image.shape[1])
    return by_tap.transpose(1, -1, *axes, 0)


def channels_are_last(tensor: QTensor) -> bool:
    """Whether PyTorch takes the image for one with its channels side by side in memory."""
    return in_channels_last(tensor.q.shape, tensor.strides)


def in_channels_last(shape: tuple[int, ...], strides: tuple[int, ...] | None) -> bool:
    """As ATen decides it from the strides alone, axes of length 1 included."""
    if strides is None or len(shape) < 4 or strides[1] == 0:  # noqa: PLR2004 - an image's axes
        return False
    least = 0
    for axis in (1, *range(len(shape) - 1, 1, -1), 0):
        if shape[axis] == 0 or strides[axis] < least:
            return False
        if axis == 0 and least == strides[1]:
            return False
        least = strides[axis] * max(1, shape[axis])
    return True


def dense_channels_last(shape: tuple[int, ...], strides: tuple[int, ...] | None) -> bool:
    """Whether the elements lie in memory as those of a channels-last image do; axes of length 1 do
    not count, so that a row-major image of one pixel or one channel passes, too."""
    if len(shape) < 4:  # noqa: PLR2004 - an image has four axes
        return False
    own = row_major(shape) if strides is None else strides
    step = 1
    for axis in (1, *range(len(shape) - 1, 1, -1), 0):
        if shape[axis] != 1:
            if own[axis] != step:
                return False
            step *= shape[axis]
    return True
