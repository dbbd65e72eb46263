"""The own range of float32 numbers: the scale and the zero point that PyTorch finds from it."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, i64, rne, saturate
from qdbg.core.quantity import Array
from qdbg.core.stage import stage

FULL = 255
SMALL = float(np.float32(6.1e-5))
"""PyTorch allows no smaller scale."""
ARBITRARY = 0.1
"""The scale of an input that is 0 everywhere."""


@stage("range", output="x_min float32", formula="x_min = min(x[..], 0)", constant=True)
def smallest(x: Array) -> Array:
    """The smallest input of the whole call, or 0 if all are above it: 0 must be representable."""
    return f32(np.min(x, initial=0))


@stage("top", output="top int32", formula="top = 255", constant=True)
def whole_range() -> Array:
    """QNNPACK uses the whole byte, even where the call asks for a reduced range."""
    return np.array(FULL, np.int32)


@stage("range", output="x_max float32", formula="x_max = max(x[..], 0)", constant=True)
def largest(x: Array) -> Array:
    """The largest input of the whole call, or 0 if all are below it."""
    return f32(np.max(x, initial=0))


@stage(
    "scale",
    output="x_scale float64",
    formula="x_scale = (x_max − x_min) / top, not below 6.1e-5; 0.1 where it vanishes",
    constant=True,
)
def input_scale(x_max: Array, x_min: Array, top: Array) -> Array:
    """The range of the inputs, spread over the integers from 0 to top."""
    scale = (f64(x_max) - f64(x_min)) / f64(top)
    with np.errstate(divide="ignore", over="ignore"):
        vanishes = f32(scale) == 0 or not np.isfinite(f32(1 / f64(f32(scale))))
    scale = f64(ARBITRARY) if vanishes else scale
    return f64(SMALL) if scale < SMALL else scale


@stage(
    "zero point",
    output="x_zp int64",
    formula="x_zp = rne(-x_min / x_scale), or rne(top − x_max / x_scale) if that is nearer",
    constant=True,
)
def input_zero_point(x_min: Array, x_max: Array, x_scale: Array, top: Array) -> Array:
    """The integer that stands for 0, counted from that end of the range which is nearer to 0."""
    low, high = stretched(x_min, x_max, x_scale, top)
    from_low, from_high = -low / x_scale, f64(top) - high / x_scale
    nearer = abs(low / x_scale) < abs(f64(top)) + abs(high / x_scale)
    return i64(saturate(rne(from_low if nearer else from_high), 0, float(top)))


def stretched(x_min: Array, x_max: Array, x_scale: Array, top: Array) -> tuple[Array, Array]:
    """The range that belongs to the scale, where PyTorch had to raise it."""
    own = (f64(x_max) - f64(x_min)) / f64(top)
    if x_scale != f64(SMALL) or own >= SMALL:
        return f64(x_min), f64(x_max)
    width = f32(f64(SMALL) * f64(top))
    if x_min == 0:
        return f64(0), f64(width)
    if x_max == 0:
        return -f64(width), f64(0)
    factor = f32(f64(SMALL) / f64(f32(own)))
    return f64(f32(f64(x_min) * factor)), f64(f32(f64(x_max) * factor))


@stage("scale", output="x_scale float64", formula="x_scale = (x_max − x_min) / top", constant=True)
def textbook_scale(x_max: Array, x_min: Array, top: Array) -> Array:
    """The range of the inputs, spread over the integers from 0 to top."""
    return f64((f64(x_max) - f64(x_min)) / f64(top) or ARBITRARY)


@stage("zero point", output="x_zp int64", formula="x_zp = rne(-x_min / x_scale)", constant=True)
def textbook_zero_point(x_min: Array, x_scale: Array) -> Array:
    """The integer that stands for 0."""
    return i64(rne(-f64(x_min) / x_scale))
