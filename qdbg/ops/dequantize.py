"""Dequantize: integers back to real values."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import Arithmetic, f32, f64
from qdbg.core.op import Call, Example, NotSimulated, Op, quantized_operand
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage


@stage("dequantize", output="y float32 [I]", formula="y[i] = f32(f32(x_scale)·(x_q[i] − x_zp))")
def dequantize(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """Subtract the zero point and multiply by the scale: the real value that the integer stands
    for, in float32."""
    return f32(f64(f32(x_scale)) * (f64(x_q) - f64(x_zp)))


def operands(call: Call) -> dict[str, Array]:
    """x_q in its own shape. Raises NotSimulated."""
    if call.node.output is not None:
        raise NotSimulated(f"its result is {call.node.dtype}, not float32")
    x = quantized_operand(call)
    return {"x_q": x.q, "x_scale": x.qparams.scale, "x_zp": x.qparams.zero_point}


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same for every arithmetic."""
    del arithmetic, values
    return (dequantize,)


EXAMPLE = Example(
    "textbook",
    {"x_q": np.array([118, 116], np.uint8), "x_zp": 117, "x_scale": 0.5},
    (0.5, -0.5),
)

OPS = (Op("dequantize", "Dequantize", operands, stages, (EXAMPLE,), ("aten::dequantize",)),)
