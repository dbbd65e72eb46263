"""FBGEMM's way from the accumulator to the output byte, in its float32 operations."""

from __future__ import annotations

from qdbg.core.arithmetic import add32, f32, f64, fma32, mul32, rne32, sum16
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, stage
from qdbg.ops._clamp import clamp, relu_clamp


@stage(
    "unit",
    output="a float32 [C]",
    formula="a[c] = f32(f32(x_scale)·f32(w_scale[c]))",
    constant=True,
)
def unit(x_scale: Array, w_scale: Array) -> Array:
    """The real value of one accumulator unit."""
    return f32(f64(f32(x_scale)) * f32(w_scale))


@stage(
    "multiplier",
    output="M float32 [C]",
    formula="M[c] = f32(a[c] / f32(y_scale))",
    constant=True,
)
def fbgemm_multiplier(a: Array, y_scale: Array) -> Array:
    """How many output steps one accumulator unit is worth, in float32."""
    return f32(f64(a) / f32(y_scale))


@stage("bias", output="v float32 [C]", formula="v[c] = f32(f32(acc[c]) + f32(b[c] / a[c]))")
def fbgemm_bias(acc: Array, b: Array, a: Array) -> Array:
    """Add the bias in units of the accumulator. FBGEMM keeps it in float32: it is not rounded to
    an integer first."""
    return add32(f32(acc), f32(f64(b) / a))


@stage("bias", output="v float32 [C]", formula="v[c] = fma32(b[c], f32(1 / a), f32(acc[c]))")
def fbgemm_bias_per_tensor(acc: Array, b: Array, a: Array) -> Array:
    """Add the bias in units of the accumulator, in float32: with one scale for all weights,
    FBGEMM multiplies by the reciprocal and adds with a single rounding."""
    return fma32(b, f32(1 / f64(a)), f32(acc))


@stage("bias", output="v float32 [C]", formula="v[c] = f32(acc[c])")
def no_float_bias(acc: Array) -> Array:
    """This layer has no bias: the accumulator goes on as float32."""
    return f32(acc)


@stage("requantize", output="s float32 [C]", formula="s[c] = f32(v[c]·M[c])")
def requantize(v: Array, M: Array) -> Array:
    """Bring the accumulator to the scale of the output, in float32."""
    return mul32(v, M)


@stage("round", output="r int32 [C]", formula="r[c] = rne(s[c])")
def round_half_even(s: Array) -> Array:
    """Round to the nearest integer; a tie (.5) goes to the even neighbour.

    A value outside int32 becomes −2³¹, as the instruction cvtps2dq defines it.
    """
    return rne32(s)


@stage("zero point", output="z int32 [C]", formula="z[c] = sat16(sat16(r[c]) + y_zp)")
def add_zero_point(r: Array, y_zp: Array) -> Array:
    """Add the output's zero point. The sum is packed through int16, which saturates."""
    return sum16(r, y_zp)


def way_back(*, bias: bool, relu: bool, per_channel: bool) -> tuple[Stage, ...]:
    """The stages from `acc` to `y_q`."""
    add = (fbgemm_bias if per_channel else fbgemm_bias_per_tensor) if bias else no_float_bias
    last = relu_clamp if relu else clamp
    return (unit, fbgemm_multiplier, add, requantize, round_half_even, add_zero_point, last)
