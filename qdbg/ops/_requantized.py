"""From an integer in units of its own to the result's steps, as PyTorch's integer kernels do."""

from __future__ import annotations

from qdbg.core.arithmetic import f32, f64, i64, rne, rne32, sat32, saturate, wrap32
from qdbg.core.quantity import Array
from qdbg.core.stage import split, stage
from qdbg.ops._elementwise import BLOCK

FAR = 2.0**62
"""Beyond any integer that the clamp lets through."""


@stage("requantize", output="s float32 [I]", formula="s[i] = f32(f32(acc[i])·M)")
def scale(acc: Array, M: Array) -> Array:
    """Bring the integer to the scale of the output, in float32."""
    return f32(f64(f32(acc)) * f64(M))


@stage("round", output="z int32 [I]", formula="z[i] = wrap32(rne32(s[i]) + y_zp)")
def round_block(s: Array, y_zp: Array) -> Array:
    """Round to the nearest integer, half to even, and add the zero point. This element lies in a
    whole vector block: what lies beyond int32 becomes −2³¹ there."""
    return wrap32(i64(rne32(s)) + i64(y_zp))


@stage("round", output="z int64 [I]", formula="z[i] = rne(s[i]) + y_zp")
def round_tail(s: Array, y_zp: Array) -> Array:
    """Round to the nearest integer, half to even, and add the zero point. This element is left
    over at the end of a row, where no whole vector block fits."""
    return i64(saturate(rne(f64(s)), -FAR, FAR)) + i64(y_zp)


round_and_shift = split(BLOCK, round_block, round_tail)


@stage("requantize", output="s float64 [I]", formula="s[i] = acc[i]·M")
def scale_textbook(acc: Array, M: Array) -> Array:
    """Bring the integer to the scale of the output."""
    return f64(acc) * f64(M)


@stage("round", output="z int32 [I]", formula="z[i] = rne(s[i]) + y_zp")
def round_textbook(s: Array, y_zp: Array) -> Array:
    """Round to the nearest integer, half to even, and add the zero point."""
    return sat32(rne(f64(s)) + f64(y_zp))
