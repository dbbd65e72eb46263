"""Tanh."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, rne, sat32, tanh32
from qdbg.core.exponential import TANHF, tanh_vector, within
from qdbg.core.op import Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops import _elementwise, hardswish
from qdbg.ops._clamp import clamp_each
from qdbg.ops._refused import check_scales


@stage("tanh", output="u float32 [I]", formula="u[i] = tanh(d[i])")
def tanh_block(d: Array) -> Array:
    """The hyperbolic tangent, between −1 and 1. This element lies in a whole vector block: the
    function is the vector library's, which may be off in the last bit."""
    return tanh_vector(d)


@stage("tanh", output="u float32 [I]", formula="u[i] = tanh(d[i])")
def tanh_tail(d: Array) -> Array:
    """The hyperbolic tangent, between −1 and 1."""
    return tanh32(d)


tanh = split(_elementwise.BLOCK, tanh_block, tanh_tail)


@stage("quantize", output="z int32 [I]", formula="z[i] = rne(f32(128·u[i]) + 128)")
def table_quantize(u: Array) -> Array:
    """QNNPACK's table: the range −1 to 1 spread over the 256 bytes."""
    return sat32(rne(f32(f64(f32(128 * f64(u))) + 128)))


ONE = np.float32(9.02)
"""Beyond this the hyperbolic tangent is 1 in float32."""
COMMON = _elementwise.stages_of(tanh, textbook=tanh_tail)


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """QNNPACK has a table of its own for quint8."""
    if arithmetic.engine == "qnnpack" and int(values["qmin"]) == 0:
        check_scales(values, "x_scale")
        x_q = np.unique(values["x_q"])
        low, high = _ends(hardswish.dequantize.compute(values["x_scale"], x_q, values["x_zp"]))
        low, high = (table_quantize.compute(u) for u in (low, high))
        _elementwise.refuse_apart(values, low, high)
        return (hardswish.dequantize, tanh_tail, table_quantize, clamp_each)
    if arithmetic.engine != "textbook":
        _elementwise.refuse_doubtful_tail(arithmetic, values, _ends)
    return COMMON(arithmetic, values)


def _ends(d: Array) -> tuple[Array, Array]:
    """The smallest and the largest result of the C library's function; where it is 0 or 1 with any
    rounding, that."""
    exact = (d == 0) | (np.abs(d) > ONE)
    low, high = (np.where(exact, tanh32(d), u) for u in within(np.tanh(f64(d)), TANHF))
    return low, high


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
