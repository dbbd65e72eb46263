"""Hardsigmoid: a ramp from 0 at −3 to 1 at 3."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, rne, sat32, saturate
from qdbg.core.op import Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _elementwise, hardswish
from qdbg.ops._clamp import clamp_each
from qdbg.ops._refused import check_float32, check_scales


@stage(
    "hardsigmoid", output="u float32 [I]", formula="u[i] = f32(min(max(f32(d[i] + 3), 0), 6) / 6)"
)
def hardsigmoid(d: Array) -> Array:
    """0 below −3, 1 above 3, and a straight line between."""
    return f32(f64(saturate(f32(f64(d) + 3), 0, 6)) / 6)


@stage("quantize", output="z int32 [I]", formula="z[i] = rne(f32(256·u[i]))")
def table_quantize(u: Array) -> Array:
    """QNNPACK's table: the range 0 to 1 spread over the 256 bytes."""
    return sat32(rne(f32(256 * f64(u))))


COMMON = _elementwise.stages_of(hardsigmoid)


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """QNNPACK has a table of its own for quint8."""
    if arithmetic.engine == "qnnpack" and int(values["qmin"]) == 0:
        check_scales(values, "x_scale")
        return (hardswish.dequantize, hardsigmoid, table_quantize, clamp_each)
    if arithmetic.engine != "textbook":
        check_float32(values)
    return COMMON(arithmetic, values)


EXAMPLE = Example(
    "textbook",
    {
        "x_q": np.array([10, 13], np.uint8),
        "x_scale": 1.0,
        "x_zp": 10,
        "y_scale": 0.25,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
        "block": np.array([False, False]),
    },
    (12, 14),
)

OPS = (
    Op(
        "hardsigmoid",
        "Hardsigmoid",
        _elementwise.operands,
        stages,
        (EXAMPLE,),
        ("aten::hardsigmoid", "aten::hardsigmoid_"),
    ),
)
