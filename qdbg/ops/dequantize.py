"""Dequantize: integers back to real values."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, i64, wrap32
from qdbg.core.op import Call, Example, NotSimulated, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage, Values, stage


@stage("dequantize", output="y float32 [I]", formula="y[i] = f32(f32(x_scale)·(x_q[i] − x_zp))")
def dequantize(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """Subtract the zero point and multiply by the scale: the real value that the integer stands
    for, in float32."""
    return f32(f64(f32(x_scale)) * (f64(x_q) - f64(x_zp)))


@stage(
    "dequantize",
    output="y float32 [I]",
    formula="y[i] = f32(f32(x_scale)·f32(wrap32(x_q[i] − x_zp)))",
)
def dequantize_word(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """Subtract the zero point, in 32 bits, round to float32 and multiply by the scale: the real
    value that the integer stands for."""
    return f32(f64(f32(x_scale)) * f64(f32(wrap32(i64(x_q) - i64(x_zp)))))


@stage(
    "dequantize",
    output="y float32 [I]",
    formula="y[i] = f32(x_scale[i]·f32(f32(x_q[i]) − f32(x_zp[i])))",
)
def dequantize_channel(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """Subtract the zero point of its channel and multiply by its scale, in float64: the real value
    that the integer stands for, then rounded to float32."""
    return f32(f64(x_scale) * f64(f32(f64(f32(x_q)) - f64(f32(x_zp)))))


@stage("dequantize", output="y float32 [I]", formula="y[i] = f32(x_scale·(x_q[i] − x_zp))")
def dequantize_textbook(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """Subtract the zero point and multiply by the scale: the real value of the integer."""
    return f32(f64(x_scale) * (f64(x_q) - f64(x_zp)))


def operands(call: Call) -> dict[str, Array]:
    """x_q in its own shape; with a scale per channel, each element's scale and zero point. Raises
    NotSimulated."""
    if call.node.output is not None:
        raise NotSimulated(f"its result is {call.node.dtype}, not float32")
    part = call.setting("part", 0) if call.node.names[:1] == ("tensors",) else 0
    x = call.inputs[part] if part < len(call.inputs) else None
    if not isinstance(x, QTensor):
        raise NotSimulated("its operand is not quantized")
    scale, zero_point = x.qparams.scale, x.qparams.zero_point
    if x.qparams.axis is not None:
        shape = [-1 if i == x.qparams.axis else 1 for i in range(x.q.ndim)]
        scale = np.broadcast_to(scale.reshape(shape), x.q.shape)
        zero_point = np.broadcast_to(zero_point.reshape(shape), x.q.shape)
    return {"x_q": x.q, "x_scale": scale, "x_zp": zero_point}


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same for every engine; another order of operations for 32 bits and per channel."""
    if np.ndim(values["x_scale"]):
        return (dequantize_textbook if arithmetic.engine == "textbook" else dequantize_channel,)
    if np.asarray(values["x_q"]).dtype == np.int32:
        return (dequantize_textbook if arithmetic.engine == "textbook" else dequantize_word,)
    return (dequantize,)


EXAMPLE = Example(
    "textbook",
    {"x_q": np.array([118, 116], np.uint8), "x_zp": 117, "x_scale": 0.5},
    (0.5, -0.5),
)

OPS = (
    Op(
        "dequantize",
        "Dequantize",
        operands,
        stages,
        (EXAMPLE,),
        ("aten::dequantize",),
        rows=("x_q", "x_scale", "x_zp"),
    ),
)
