"""Sigmoid: 1 / (1 + e^−x)."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import Arithmetic, exp32, f32, f64, rne, sat32
from qdbg.core.op import Example, Op
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops import _elementwise, hardswish
from qdbg.ops._clamp import clamp_each
from qdbg.ops._elementwise import BLOCK


@stage("dequantize", output="d float32 [I]", formula="d[i] = f32((x_q[i] − x_zp)·f32(x_scale))")
def dequantize(x_q: Array, x_zp: Array, x_scale: Array) -> Array:
    """Subtract the zero point and multiply by the scale."""
    return f32((f64(x_q) - f64(x_zp)) * f32(x_scale))


@stage("sigmoid", output="u float32 [I]", formula="u[i] = f32(1 / f32(1 + exp(-d[i])))")
def sigmoid_block(d: Array) -> Array:
    """The logistic function. This element lies in a whole vector block: every operation is rounded
    to float32."""
    return f32(1 / f64(f32(1 + f64(exp32(-d)))))


@stage("sigmoid", output="u float32 [I]", formula="u[i] = f32(1 / (1 + exp(-d[i])))")
def sigmoid_tail(d: Array) -> Array:
    """The logistic function. This element is left over at the end of a row: the sum and the
    division are made in float64 and rounded once."""
    return f32(1 / (1 + f64(exp32(-d))))


HALF = np.float32(0.5)
"""The result at 0, which no rounding of the exponential changes."""

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
        x_q = np.unique(values["x_q"])
        d = hardswish.dequantize.compute(values["x_scale"], x_q, values["x_zp"])
        u = sigmoid_tail.compute(d)
        _elementwise.refuse_near_ties(u, table_quantize.compute, values, u != HALF)
        return (hardswish.dequantize, sigmoid_tail, table_quantize, clamp_each)
    inverse = _elementwise.reciprocal_double
    _refuse(values, sigmoid_block, _elementwise.quantize_block, block=True)
    _refuse(values, sigmoid_tail, _elementwise.quantize_tail, block=False)
    return (dequantize, sigmoid, inverse, _elementwise.quantize, clamp_each)


def _refuse(values: Values, function: Stage, back: Stage, *, block: bool) -> None:
    x_q = np.unique(np.asarray(values["x_q"])[values[BLOCK] == block])
    u = function.compute(dequantize.compute(x_q, values["x_zp"], values["x_scale"]))
    inv = _elementwise.reciprocal_double.compute(values["y_scale"])
    step = inv if block else values["y_scale"]

    def quantized(each: Array) -> Array:
        return back.compute(each, step, values["y_zp"])

    _elementwise.refuse_near_ties(u, quantized, values, u != HALF)


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
