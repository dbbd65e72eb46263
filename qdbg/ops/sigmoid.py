"""Sigmoid: 1 / (1 + e^−x)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.core.arithmetic import exp32, f32, f64, rne, sat32
from qdbg.core.exponential import EXPF, exp_vector, within
from qdbg.core.op import Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops import _elementwise, hardswish
from qdbg.ops._clamp import clamp_each
from qdbg.ops._elementwise import BLOCK
from qdbg.ops._refused import check_output, check_scales


@stage("dequantize", output="d float32 [I]", formula="d[i] = f32((x_q[i] − x_zp)·f32(x_scale))")
def dequantize(x_q: Array, x_zp: Array, x_scale: Array) -> Array:
    """Subtract the zero point and multiply by the scale."""
    return f32((f64(x_q) - f64(x_zp)) * f32(x_scale))


@stage("sigmoid", output="u float32 [I]", formula="u[i] = f32(1 / f32(1 + exp(-d[i])))")
def sigmoid_block(d: Array) -> Array:
    """The logistic function. This element lies in a whole vector block: the exponential is the
    vector library's, and every operation is rounded to float32."""
    return f32(1 / f64(f32(1 + f64(exp_vector(-d)))))


@stage("sigmoid", output="u float32 [I]", formula="u[i] = f32(1 / (1 + exp(-d[i])))")
def sigmoid_tail(d: Array) -> Array:
    """The logistic function. This element is left over at the end of a row: the sum and the
    division are made in float64 and rounded once."""
    return f32(1 / (1 + f64(exp32(-d))))


@stage("sigmoid", output="u float32 [I]", formula="u[i] = f32(1 / f32(1 + exp(-d[i])))")
def sigmoid_table(d: Array) -> Array:
    """The logistic function. QNNPACK's table rounds every operation to float32, and takes the
    exponential of the C library."""
    return f32(1 / f64(f32(1 + f64(exp32(-d)))))


sigmoid = split(BLOCK, sigmoid_block, sigmoid_tail)


@stage("quantize", output="z int32 [I]", formula="z[i] = rne(f32(256·u[i]))")
def table_quantize(u: Array) -> Array:
    """QNNPACK's table: the range 0 to 1 spread over the 256 bytes."""
    return sat32(rne(f32(256 * f64(u))))


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """QNNPACK has a table of its own for quint8 where the result has scale 1/256."""
    if arithmetic.engine == "textbook":
        return _elementwise.stages_of(sigmoid_tail)(arithmetic, values)
    if arithmetic.engine == "qnnpack" and int(values["qmin"]) == 0:
        check_scales(values, "x_scale")
        check_output(values, 1 / 256, 0)
        x_q = np.unique(values["x_q"])
        found = _ends(hardswish.dequantize.compute(values["x_scale"], x_q, values["x_zp"]), f32)
        low, high = (table_quantize.compute(u) for u in found)
        _elementwise.refuse_apart(values, low, high)
        return (hardswish.dequantize, sigmoid_table, table_quantize, clamp_each)
    inverse = _elementwise.reciprocal_double
    _elementwise.refuse_doubtful_tail(arithmetic, values, _ends)
    return (dequantize, sigmoid, inverse, _elementwise.quantize_of(arithmetic), clamp_each)


def _ends(d: Array, rounded: Callable[[Array], Array] = f64) -> tuple[Array, Array]:
    """The smallest and the largest result with the C library's exponential, the sum `rounded` or
    in float64; the exact one at 0."""
    with np.errstate(over="ignore"):
        small, large = within(np.exp(-f64(d)), EXPF)
    sums = (f64(rounded(1 + f64(e))) for e in (large, small))
    low, high = (np.where(d == 0, 0.5, 1 / each) for each in sums)
    return f32(low), f32(high)


EXAMPLE = Example(
    "textbook",
    {
        "x_q": np.array([10, 110], np.uint8),
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
        "sigmoid",
        "Sigmoid",
        _elementwise.operands,
        stages,
        (EXAMPLE,),
        ("aten::sigmoid", "aten::sigmoid_", "quantized::sigmoid"),
    ),
)
