"""QNNPACK's addition of uint8 tensors of one shape: integers with multipliers of 22 bits."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import (
    at_least,
    exponent,
    f32,
    f64,
    i64,
    rne,
    sat32,
    shift_half_away,
    wrap32,
)
from qdbg.core.op import NotSimulated
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops._clamp import clamp_each, relu_clamp_each
from qdbg.ops._refused import check_ratios, check_scales

FIXED = "fixed"
"""The operand that tells whether QNNPACK has a kernel for the call."""
BITS = 21
"""The larger multiplier has this many bits below its highest one."""
LARGEST_SHIFT = 31


@stage(
    "ratio a",
    output="ratio_a float32",
    formula="ratio_a = f32(a_scale) / f32(y_scale)",
    constant=True,
)
def ratio_a(a_scale: Array, y_scale: Array) -> Array:
    """How many output steps one step of the first operand is worth."""
    return f32(f64(f32(a_scale)) / f64(f32(y_scale)))


@stage(
    "ratio b",
    output="ratio_b float32",
    formula="ratio_b = f32(b_scale) / f32(y_scale)",
    constant=True,
)
def ratio_b(b_scale: Array, y_scale: Array) -> Array:
    """How many output steps one step of the second operand is worth."""
    return f32(f64(f32(b_scale)) / f64(f32(y_scale)))


@stage(
    "shift",
    output="shift int32",
    formula="shift = 21 − floor(log2(max(ratio_a, ratio_b)))",
    constant=True,
)
def shift(ratio_a: Array, ratio_b: Array) -> Array:
    """By how many binary places both ratios are moved to the left, so that the larger one becomes
    an integer of 22 bits."""
    return np.asarray(BITS - exponent(at_least(ratio_a, ratio_b)))


@stage("multiplier a", output="A int32", formula="A = rne(ratio_a · 2^shift)", constant=True)
def multiplier_a(ratio_a: Array, shift: Array) -> Array:
    """The first ratio as an integer."""
    return sat32(rne(np.ldexp(f64(ratio_a), shift)))


@stage("multiplier b", output="B int32", formula="B = rne(ratio_b · 2^shift)", constant=True)
def multiplier_b(ratio_b: Array, shift: Array) -> Array:
    """The second ratio as an integer."""
    return sat32(rne(np.ldexp(f64(ratio_b), shift)))


@stage(
    "add",
    output="acc int32 [I]",
    formula="acc[i] = wrap32(A·(a_q[i] − a_zp) + B·(b_q[i] − b_zp))",
)
def add(A: Array, a_q: Array, a_zp: Array, B: Array, b_q: Array, b_zp: Array) -> Array:
    """Add the two operands in units of 2^−shift output steps: QNNPACK has a kernel of its own for
    uint8 tensors of one shape, in integers."""
    first = i64(A) * (i64(a_q) - a_zp)
    return wrap32(first + i64(B) * (i64(b_q) - b_zp))


@stage("round", output="r int32 [I]", formula="r[i] = round_half_away(acc[i] / 2^shift)")
def round_away(acc: Array, shift: Array) -> Array:
    """Shift back to output steps; a tie (.5) goes away from zero, not to the even neighbour."""
    return shift_half_away(acc, int(shift))


@stage("zero point", output="z int32 [I]", formula="z[i] = r[i] + y_zp")
def add_zero_point(r: Array, y_zp: Array) -> Array:
    """Add the zero point, the integer that stands for the real value 0."""
    return sat32(f64(r) + y_zp)


def stages(values: Values, *, relu: bool) -> tuple[Stage, ...]:
    """From both operands to `y_q`. Raises NotSimulated for ratios that the kernel refuses or gets
    wrong."""
    check_scales(values, "a_scale", "b_scale", "y_scale")
    ratios = (ratio_a.run(values), ratio_b.run(values))
    check_ratios(*ratios)
    if int(shift.compute(*ratios)) > LARGEST_SHIFT:
        raise NotSimulated(
            "PyTorch's result is wrong: where both operands' scales are below 2^-10 of the result's"
            " QNNPACK shifts by 32 places or more, which x86 does not do; what it gives depends on"
            " the tensor's size"
        )
    last = relu_clamp_each if relu else clamp_each
    constants = (ratio_a, ratio_b, shift, multiplier_a, multiplier_b)
    return (*constants, add, round_away, add_zero_point, last)
