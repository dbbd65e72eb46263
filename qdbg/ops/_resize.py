"""Where the pixels of a resized image come from."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, fma32, i64
from qdbg.core.op import Call, NotSimulated
from qdbg.core.quantity import Array

SCALES = ("scales_d", "scales_h", "scales_w")
"""The dispatcher's names of the factors, for the last axes."""


def factors(call: Call, axes: int) -> list[float | None]:
    """The factor that the user gave for each axis; None where a size was given."""
    listed = call.setting("scale_factors")
    if listed is not None:
        return [float(v) for v in listed]
    return [call.setting(name) for name in SCALES[-axes:]]


def step(size: int, out: int, factor: float | None) -> Array:
    """How many pixels of the image one pixel of the result is worth."""
    if factor is not None and factor > 0:
        return f32(1.0 / factor)
    return f32(f64(f32(float(size))) / f64(f32(float(out))))


def nearest(size: int, out: int, factor: float | None, *, exact: bool) -> Array:
    """The pixel of the image that each pixel of the result takes, along one axis."""
    at = f64(np.arange(out)) + (0.5 if exact else 0.0)
    found = i64(f32(at * f64(step(size, out, factor))))
    return np.where(found < size - 1, found, size - 1)


def between(
    size: int, out: int, factor: float | None, *, corners: bool, fused: bool
) -> tuple[Array, Array, Array, Array]:
    """Along one axis the first pixel, the second, and the weight of each. `fused` for the kernel
    that takes half a pixel off in one operation with the product."""
    at = np.arange(out)
    if corners:
        ratio = f32(f64(f32(float(size - 1))) / f64(f32(float(out - 1)))) if out > 1 else f32(0.0)
        place = f32(f64(ratio) * f64(at))
    else:
        ratio = step(size, out, factor)
        middle = f64(at) + 0.5
        whole = fma32(ratio, middle, -0.5) if fused else f32(f64(f32(f64(ratio) * middle)) - 0.5)
        place = np.where(whole < 0, f32(0.0), whole)
    first = i64(place)
    if np.any(first >= size):
        raise NotSimulated("its factor leads beyond the image: what PyTorch reads there is unknown")
    second = np.where(first < size - 1, first + 1, first)
    after = f32(f64(place) - f64(first))
    return first, second, f32(1.0 - f64(after)), after
