"""PReLU: below zero each channel has a quantized slope of its own."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, i32, rne, sat32, saturate, wrap32
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops._clamp import clamp_each


@stage(
    "one",
    output="one int32",
    formula="one = min(max(rne(f32(w_zp + f32(1 / f32(w_scale)))), w_min), w_max) − w_zp",
    constant=True,
)
def unit_slope(w_zp: Array, w_scale: Array, w_min: Array, w_max: Array) -> Array:
    """The slope 1 of positive values in steps of the slopes' scale."""
    steps = rne(f32(f64(w_zp) + f64(f32(1 / f64(f32(w_scale))))))
    return sat32(saturate(steps, float(w_min), float(w_max)) - f64(w_zp))


@stage(
    "one",
    output="one int32",
    formula="one = min(max(f32(w_zp + rne(f32(1 / f32(w_scale)))), w_min), w_max) − w_zp",
    constant=True,
)
def unit_slope_first(w_zp: Array, w_scale: Array, w_min: Array, w_max: Array) -> Array:
    """The slope 1 of positive values in steps of the slopes' scale; this release rounds it before
    the zero point is added."""
    steps = f32(f64(w_zp) + f64(rne(f32(1 / f64(f32(w_scale))))))
    return sat32(saturate(steps, float(w_min), float(w_max)) - f64(w_zp))


@stage(
    "multiply",
    output="acc int32 [I]",
    formula="acc[i] = max(x_q[i] − x_zp, 0)·one + min(x_q[i] − x_zp, 0)·(w_q[i] − w_zp)",
)
def multiply(x_q: Array, x_zp: Array, one: Array, w_q: Array, w_zp: Array) -> Array:
    """Positive values are multiplied by 1, negative ones by their channel's slope."""
    centred = i32(x_q) - i32(x_zp)
    up, down = saturate(centred, 0, 2**30), saturate(centred, -(2**30), 0)
    return wrap32(up * one + down * (i32(w_q) - i32(w_zp)))


@stage(
    "multiplier",
    output="M float32",
    formula="M = f32(f32(f32(x_scale)·f32(w_scale))·f32(1 / f32(y_scale)))",
    constant=True,
)
def multiplier(x_scale: Array, w_scale: Array, y_scale: Array) -> Array:
    """How many output steps one accumulator unit is worth."""
    unit = f32(f64(f32(x_scale)) * f32(w_scale))
    return f32(f64(unit) * f32(1 / f64(f32(y_scale))))


@stage("requantize", output="z int32 [I]", formula="z[i] = rne(f32(f32(acc[i])·M)) + y_zp")
def requantize(acc: Array, M: Array, y_zp: Array) -> Array:
    """Bring the accumulator to the scale of the output, round half to even, add the zero point."""
    return sat32(f64(rne(f32(f64(f32(acc)) * M))) + f64(y_zp))


def operands(call: Call) -> dict[str, Array]:
    """x_q in its own shape and w_q, the slope that each element takes. Raises NotSimulated."""
    x = quantized_operand(call, 0, BYTES)
    slopes = quantized_operand(call, 1, BYTES)
    if slopes.q.size not in {1, x.q.shape[1] if x.q.ndim > 1 else 1}:
        raise NotSimulated(f"it has {slopes.q.size} slopes for the shape {list(x.q.shape)}")
    shape = [1, -1] + [1] * (x.q.ndim - 2) if slopes.q.size > 1 else [1] * x.q.ndim
    return {
        "x_q": x.q,
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "w_q": np.broadcast_to(slopes.q.reshape(shape), x.q.shape),
        "w_scale": slopes.qparams.scale,
        "w_zp": slopes.qparams.zero_point,
        "w_min": np.array(slopes.qparams.qmin),
        "w_max": np.array(slopes.qparams.qmax),
        **output_operands(call, BYTES),
    }


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same for every engine."""
    del values
    one = unit_slope_first if arithmetic.quantize == ROUNDED else unit_slope
    return (one, multiply, multiplier, requantize, clamp_each)


EXAMPLE = Example(
    "textbook",
    {
        "x_q": np.array([6, 14], np.uint8),
        "x_scale": 1.0,
        "x_zp": 10,
        "w_q": np.array([2, 2], np.uint8),
        "w_scale": 0.25,
        "w_zp": 0,
        "w_min": 0,
        "w_max": 255,
        "y_scale": 1.0,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
    },
    (8, 14),  # −4 · 0.5 = −2 and 4 · 1 = 4
)

OPS = (Op("prelu", "PReLU", operands, stages, (EXAMPLE,), ("quantized::prelu",)),)
