"""Tanh."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import Arithmetic, f32, f64, rne, sat32, tanh32
from qdbg.core.op import Example, Op
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _elementwise, hardswish
from qdbg.ops._clamp import clamp_each


@stage("tanh", output="u float32 [I]", formula="u[i] = tanh(d[i])")
def tanh(d: Array) -> Array:
    """The hyperbolic tangent, between −1 and 1."""
    return tanh32(d)


@stage("quantize", output="z int32 [I]", formula="z[i] = rne(f32(128·u[i]) + 128)")
def table_quantize(u: Array) -> Array:
    """QNNPACK's table: the range −1 to 1 spread over the 256 bytes."""
    return sat32(rne(f32(f64(f32(128 * f64(u))) + 128)))


ONE = np.float32(9.02)
"""Beyond this the hyperbolic tangent is 1 in float32."""
COMMON = _elementwise.stages_of(tanh)


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """QNNPACK has a table of its own for quint8."""
    if arithmetic.engine == "qnnpack" and int(values["qmin"]) == 0:
        u = tanh.compute(_bytes_as_real(values))
        _elementwise.refuse_near_ties(u, table_quantize.compute, values, u != 0)
        return (hardswish.dequantize, tanh, table_quantize, clamp_each)
    if arithmetic.engine != "textbook":
        inv = _elementwise.reciprocal.compute(values["y_scale"])
        for block in (True, False):
            _elementwise.refuse_doubtful(values, tanh.compute, inv, block=block, exact=_saturated)
    return COMMON(arithmetic, values)


def _bytes_as_real(values: Values) -> Array:
    own = np.unique(values["x_q"])
    return hardswish.dequantize.compute(values["x_scale"], own, values["x_zp"])


def _saturated(d: Array) -> Array:
    """bool: where the result is 0, or 1 with any rounding."""
    exact: Array = (d == 0) | (np.abs(d) > ONE)
    return exact


EXAMPLE = Example(
    "textbook",
    {
        "x_q": np.array([10, 110], np.uint8),
        "x_scale": 1.0,
        "x_zp": 10,
        "y_scale": 0.5,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
        "block": np.array([False, False]),
    },
    (10, 12),
)

OPS = (
    Op("tanh", "Tanh", _elementwise.operands, stages, (EXAMPLE,), ("aten::tanh", "aten::tanh_")),
)
