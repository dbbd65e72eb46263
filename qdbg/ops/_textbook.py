"""The way back to bytes as papers write it: float64 and int32."""

from __future__ import annotations

from qdbg.core.arithmetic import f64, rne, sat32, wrapped_sum
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, stage
from qdbg.ops._clamp import clamp, relu_clamp


@stage(
    "bias",
    output="b_q int32 [C]",
    formula="b_q[c] = sat32(rne(b[c] / (x_scale·w_scale[c])))",
    constant=True,
)
def textbook_bias_q(b: Array, x_scale: Array, w_scale: Array) -> Array:
    """The bias in accumulator units, rounded to int32 once for the layer."""
    return sat32(rne(f64(b) / (x_scale * w_scale)))


@stage(
    "multiplier",
    output="M float64 [C]",
    formula="M[c] = x_scale·w_scale[c] / y_scale",
    constant=True,
)
def textbook_multiplier(x_scale: Array, w_scale: Array, y_scale: Array) -> Array:
    """How many output steps one accumulator unit is worth."""
    return f64(x_scale * w_scale / y_scale)


@stage("bias", output="v int32 [C]", formula="v[c] = wrap32(acc[c] + b_q[c])")
def add_int_bias(acc: Array, b_q: Array) -> Array:
    """Add the bias, an integer in units of the accumulator; a sum beyond int32 wraps around."""
    return wrapped_sum(acc, b_q)


@stage("bias", output="v int32 [C]", formula="v[c] = acc[c]")
def no_int_bias(acc: Array) -> Array:
    """This layer has no bias: the accumulator goes on unchanged."""
    return acc


@stage("requantize", output="s float64 [C]", formula="s[c] = v[c]·M[c]")
def textbook_requantize(v: Array, M: Array) -> Array:
    """Bring the accumulator to the scale of the output."""
    return f64(v) * M


@stage("round", output="r int32 [C]", formula="r[c] = rne(s[c])")
def textbook_round(s: Array) -> Array:
    """Round to the nearest integer; a tie (.5) goes to the even neighbour."""
    return sat32(rne(s))


@stage("zero point", output="z int32 [C]", formula="z[c] = r[c] + y_zp")
def textbook_zero_point(r: Array, y_zp: Array) -> Array:
    """Add the output's zero point, the integer that stands for the real value 0."""
    return sat32(f64(r) + y_zp)


def way_back(*, bias: bool, relu: bool, per_channel: bool) -> tuple[Stage, ...]:
    """The stages from `acc` to `y_q`."""
    del per_channel  # the textbook makes no difference
    add = (textbook_bias_q, add_int_bias) if bias else (no_int_bias,)
    last = relu_clamp if relu else clamp
    return (
        textbook_multiplier,
        *add,
        textbook_requantize,
        textbook_round,
        textbook_zero_point,
        last,
    )
