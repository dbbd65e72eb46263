"""QNNPACK's way from the accumulator to the output byte."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import INT32, f32, f64, mul32, rne, sat32
from qdbg.core.op import NotSimulated
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops._clamp import clamp, relu_clamp
from qdbg.ops._fbgemm import add_zero_point, round_half_even
from qdbg.ops._textbook import add_int_bias, no_int_bias


@stage(
    "bias",
    output="b_q int32 [C]",
    formula="b_q[c] = sat32(rne(f32(b[c]·f32(1 / f32(x_scale·w_scale[c])))))",
    constant=True,
)
def qnnpack_bias_q(b: Array, x_scale: Array, w_scale: Array) -> Array:
    """The bias in accumulator units, rounded to int32 once for the layer."""
    return sat32(rne(in_units(b, x_scale, w_scale)))


def in_units(b: Array, x_scale: Array, w_scale: Array) -> Array:
    """The bias in accumulator units, not rounded yet: float32 [C]."""
    return f32(f64(b) * f32(1 / f64(f32(x_scale * w_scale))))


def refuse_large_bias(values: Values) -> None:
    """Raise NotSimulated where a bias does not fit into the accumulator."""
    if "b" not in values:
        return
    units = in_units(values["b"], values["x_scale"], values["w_scale"])
    if not np.all(np.abs(units) < -INT32[0]):
        raise NotSimulated(
            "a bias does not fit into the int32 accumulator, and what QNNPACK makes of it depends"
            " on its place"
        )


@stage(
    "multiplier",
    output="M float32 [C]",
    formula="M[c] = f32(f32(f32(w_scale[c])·f32(x_scale))·f32(1 / f32(y_scale)))",
    constant=True,
)
def qnnpack_multiplier(w_scale: Array, x_scale: Array, y_scale: Array) -> Array:
    """How many output steps one accumulator unit is worth, in float32."""
    return f32(f64(f32(f64(f32(w_scale)) * f32(x_scale))) * f32(1 / f64(f32(y_scale))))


@stage("requantize", output="s float32 [C]", formula="s[c] = f32(f32(v[c])·M[c])")
def qnnpack_requantize(v: Array, M: Array) -> Array:
    """Bring the accumulator to the scale of the output, in float32."""
    return mul32(f32(v), M)


@stage("requantize", output="s float64 [C]", formula="s[c] = f32(v[c])·M[c]")
def qnnpack_requantize_once(v: Array, M: Array) -> Array:
    """Bring the accumulator to the scale of the output. The kernel for depthwise 3×3×3 convolutions
    does not round the product to float32: it is rounded once, to the integer."""
    return f64(f32(v)) * f64(M)


def way_back(*, bias: bool, relu: bool, per_channel: bool, once: bool = False) -> tuple[Stage, ...]:
    """The stages from `acc` to `y_q`; `once` for the kernel that rounds products once."""
    del per_channel  # QNNPACK makes no difference
    add = (qnnpack_bias_q, add_int_bias) if bias else (no_int_bias,)
    last = relu_clamp if relu else clamp
    return (
        qnnpack_multiplier,
        *add,
        qnnpack_requantize_once if once else qnnpack_requantize,
        round_half_even,
        add_zero_point,
        last,
    )
