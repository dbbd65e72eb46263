"""Hardswish: x · relu6(x + 3) / 6."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, rne, sat32, saturate
from qdbg.core.op import Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _elementwise
from qdbg.ops._clamp import clamp_each
from qdbg.ops._refused import check_scales


@stage(
    "hardswish",
    output="u float32 [I]",
    formula="u[i] = f32(f32(d[i]·min(max(f32(d[i] + 3), 0), 6)) / 6)",
)
def hardswish(d: Array) -> Array:
    """A ramp from −3 to 3 multiplies the value: 0 below it, the value itself above it."""
    ramp = saturate(f32(f64(d) + 3), 0, 6)
    return f32(f64(f32(f64(d) * ramp)) / 6)


@stage("dequantize", output="d float32 [I]", formula="d[i] = f32(f32(x_scale)·(x_q[i] − x_zp))")
def dequantize(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """The real value of the integer; QNNPACK computes it once for each of the 256 bytes."""
    return f32(f64(f32(x_scale)) * (f64(x_q) - f64(x_zp)))


@stage("quantize", output="z int32 [I]", formula="z[i] = rne(f32(f32(u[i]·inv) + y_zp))")
def table_quantize(u: Array, inv: Array, y_zp: Array) -> Array:
    """Back to output steps; the zero point is added before rounding."""
    return sat32(rne(f32(f64(f32(f64(u) * inv)) + f64(y_zp))))


COMMON = _elementwise.stages_of(hardswish, double=True)


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """QNNPACK has a table of its own for quint8."""
    if arithmetic.engine == "qnnpack" and int(values["qmin"]) == 0:
        check_scales(values, "x_scale", "y_scale")
        return (dequantize, hardswish, _elementwise.reciprocal, table_quantize, clamp_each)
    return COMMON(arithmetic, values)


EXAMPLE = Example(
    "textbook",
    {
        "x_q": np.array([12, 13], np.uint8),
        "x_scale": 1.0,
        "x_zp": 10,
        "y_scale": 0.5,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
        "block": np.array([False, False]),
    },
    (13, 16),
)

OPS = (
    Op(
        "hardswish",
        "Hardswish",
        _elementwise.operands,
        stages,
        (EXAMPLE,),
        ("quantized::hardswish", "aten::hardswish"),
    ),
)
