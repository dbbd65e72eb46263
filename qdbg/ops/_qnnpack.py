"""QNNPACK's way from the accumulator to the output byte."""

from __future__ import annotations

from qdbg.core.arithmetic import f32, f64, mul32, rne, rne32, sat32
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, stage
from qdbg.ops._clamp import clamp, relu_clamp
from qdbg.ops._fbgemm import add_zero_point, round_half_even
from qdbg.ops._textbook import add_int_bias, no_int_bias


def in_units(b: Array, x_scale: Array, w_scale: Array) -> Array:
    """The bias in accumulator units, not rounded yet: float32 [C]."""
    return f32(f64(b) * f32(1 / f64(f32(x_scale * w_scale))))


@stage(
    "bias",
    output="b_q int32 [C]",
    formula="b_q[c] = sat32(rne(f32(b[c]·f32(1 / f32(x_scale·w_scale[c])))))",
    constant=True,
)
def qnnpack_bias_q(b: Array, x_scale: Array, w_scale: Array) -> Array:
    """The bias in accumulator units, rounded to int32 once for the layer."""
    return sat32(rne(in_units(b, x_scale, w_scale)))


@stage(
    "bias",
    output="b_q int32 [C]",
    formula="b_q[c] = rne32(f32(b[c]·f32(1 / f32(x_scale·w_scale[c]))))",
    constant=True,
)
def qnnpack_bias_q_window(b: Array, x_scale: Array, w_scale: Array) -> Array:
    """The bias in accumulator units, rounded to int32 once for the layer.

    Where the kernel goes over windows, QNNPACK copies the integer by way of float32: the largest
    int32 becomes 2³¹ there, which is none, and is −2³¹ afterwards.
    """
    return rne32(in_units(b, x_scale, w_scale))


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


def way_back(
    *, bias: bool, relu: bool, per_channel: bool, window: bool = True, once: bool = False
) -> tuple[Stage, ...]:
    """The stages from `acc` to `y_q`; `window` for kernels that go over windows, `once` for the
    one that rounds products once."""
    del per_channel  # QNNPACK makes no difference
    units = qnnpack_bias_q_window if window else qnnpack_bias_q
    add = (units, add_int_bias) if bias else (no_int_bias,)
    last = relu_clamp if relu else clamp
    return (
        qnnpack_multiplier,
        *add,
        qnnpack_requantize_once if once else qnnpack_requantize,
        round_half_even,
        add_zero_point,
        last,
    )
