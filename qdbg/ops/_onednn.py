"""oneDNN's way from the accumulator to the output byte: real units, zero point before rounding."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import add32, div32, f32, f64, mul32, rne32, saturate
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, stage
from qdbg.ops._clamp import outside


@stage("unit", output="x_s float32", formula="x_s = f32(1 / f32(1 / x_scale))", constant=True)
def onednn_input_scale(x_scale: Array) -> Array:
    """The input's scale as oneDNN gets it: PyTorch hands over reciprocals."""
    return f32(1 / f64(f32(1 / x_scale)))


@stage(
    "unit",
    output="w_s float32 [C]",
    formula="w_s[c] = f32(1 / f32(1 / w_scale[c]))",
    constant=True,
)
def onednn_weight_scale(w_scale: Array) -> Array:
    """The weights' scale as oneDNN gets it: PyTorch hands over reciprocals."""
    return f32(1 / f64(f32(1 / w_scale)))


@stage(
    "unit",
    output="w_s float32 [C]",
    formula="w_s[c] = f32(1 / f32(1 / f32(w_scale[c])))",
    constant=True,
)
def onednn_weight_scale_per_channel(w_scale: Array) -> Array:
    """The weights' scale as oneDNN gets it: PyTorch hands over reciprocals of float32 scales."""
    return f32(1 / f64(f32(1 / f64(f32(w_scale)))))


@stage("unit", output="w_s float32 [C]", formula="w_s[c] = f32(w_scale[c])", constant=True)
def onednn_weight_scale_conv(w_scale: Array) -> Array:
    """The weights' scale in float32, as oneDNN's convolutions get it."""
    return f32(w_scale)


@stage(
    "multiplier",
    output="M float32",
    formula="M = f32(1 / f32(1 / f32(1 / y_scale)))",
    constant=True,
)
def onednn_multiplier(y_scale: Array) -> Array:
    """How many output steps one real unit is worth, in float32."""
    return f32(1 / f64(f32(1 / f64(f32(1 / y_scale)))))


@stage("dequantize", output="d float32 [C]", formula="d[c] = f32(f32(f32(acc[c])·x_s)·w_s[c])")
def onednn_dequantize(acc: Array, x_s: Array, w_s: Array) -> Array:
    """oneDNN turns the accumulator into a real value first: times the input's scale, then times
    the weights' scale."""
    return mul32(mul32(f32(acc), x_s), w_s)


@stage("dequantize", output="d float32 [C]", formula="d[c] = f32(f32(acc[c])·f32(x_s·w_s[c]))")
def onednn_dequantize_avx2(acc: Array, x_s: Array, w_s: Array) -> Array:
    """oneDNN turns the accumulator into a real value first. On AVX2, and in oneDNN's
    convolutions over GEMM, the two scales are multiplied with each other before."""
    return mul32(f32(acc), mul32(x_s, w_s))


@stage("bias", output="v float32 [C]", formula="v[c] = f32(d[c] + b[c])")
def onednn_bias(d: Array, b: Array) -> Array:
    """Add the bias in real units, in float32: it is never rounded to an integer."""
    return add32(d, b)


@stage("bias", output="v float32 [C]", formula="v[c] = d[c]")
def onednn_no_bias(d: Array) -> Array:
    """This layer has no bias."""
    return d


@stage("relu", output="u float32 [C]", formula="u[c] = max(v[c], 0)")
def onednn_relu(v: Array) -> Array:
    """The fused ReLU, on the real value."""
    return saturate(v, 0, np.inf)


@stage("requantize", output="s float32 [C]", formula="s[c] = f32(u[c]·M)")
def onednn_requantize_relu(u: Array, M: Array) -> Array:
    """Bring the real value to the scale of the output."""
    return mul32(u, M)


@stage("requantize", output="s float32 [C]", formula="s[c] = f32(v[c]·M)")
def onednn_requantize(v: Array, M: Array) -> Array:
    """Bring the real value to the scale of the output."""
    return mul32(v, M)


@stage("unit", output="y_s float32", formula="y_s = f32(1 / f32(1 / y_scale))", constant=True)
def onednn_output_scale(y_scale: Array) -> Array:
    """The output's scale as oneDNN gets it: PyTorch hands over reciprocals."""
    return f32(1 / f64(f32(1 / y_scale)))


@stage("requantize", output="s float32 [C]", formula="s[c] = f32(u[c] / y_s)")
def onednn_divide_relu(u: Array, y_s: Array) -> Array:
    """Bring the real value to the scale of the output: oneDNN's plain loops divide."""
    return div32(u, y_s)


@stage("requantize", output="s float32 [C]", formula="s[c] = f32(v[c] / y_s)")
def onednn_divide(v: Array, y_s: Array) -> Array:
    """Bring the real value to the scale of the output: oneDNN's plain loops divide."""
    return div32(v, y_s)


@stage("relu", output="u float32 [C]", formula="u[c] = v[c] if v[c] > 0 else v[c]·0")
def onednn_plain_relu(v: Array) -> Array:
    """The fused ReLU, on the real value: oneDNN's plain loops multiply what is not above 0 by 0."""
    with np.errstate(invalid="ignore"):
        return np.where(v > 0, v, v * f32(0))


def _requantize(relu: bool, plain: bool) -> tuple[Stage, ...]:
    if relu and plain:
        return (onednn_plain_relu, onednn_divide_relu)
    if relu:
        return (onednn_relu, onednn_requantize_relu)
    return (onednn_divide if plain else onednn_requantize,)


@stage("zero point", output="z float32 [C]", formula="z[c] = f32(s[c] + y_zp)")
def onednn_zero_point(s: Array, y_zp: Array) -> Array:
    """Add the output's zero point before rounding: with an odd zero point, a tie goes to the
    other neighbour than it would after rounding."""
    return add32(s, f32(y_zp))


@stage(
    "clamp",
    output="t float32 [C]",
    formula="t[c] = min(max(z[c], qmin), qmax)",
    saturates=outside,
)
def onednn_clamp(z: Array, qmin: Array, qmax: Array) -> Array:
    """Keep the value inside the output's integer range, still as float32."""
    return saturate(z, float(qmin), float(qmax))


@stage(
    "clamp",
    output="t float32 [C]",
    formula="t[c] = min(max(z[c], qmin), qmax), and qmax where z[c] is NaN",
    saturates=outside,
)
def onednn_clamp_wide(z: Array, qmin: Array, qmax: Array) -> Array:
    """Keep the value inside the output's integer range, still as float32. With AVX-512 the largest
    integer stands for what is not a number."""
    return np.where(np.isnan(z), f32(qmax), saturate(z, float(qmin), float(qmax)))


@stage("round", output="y_q byte [C]", formula="y_q[c] = rne(t[c])")
def onednn_round(t: Array) -> Array:
    """Round to the nearest integer; a tie (.5) goes to the even neighbour."""
    return rne32(t)


def way_back(
    *,
    bias: bool,
    relu: bool,
    per_channel: bool,
    avx2: bool = False,
    conv: bool = False,
    plain: bool = False,
    nan: bool = False,
    wide: bool = False,
) -> tuple[Stage, ...]:
    """The stages from `acc` to `y_q`; on AVX2 the two scales are multiplied first, and plain loops
    divide by the output's scale; `nan` tells that a result may be no number, `wide` that vectors
    are those of AVX-512 in spite of AVX2's order."""
    linear = onednn_weight_scale_per_channel if per_channel else onednn_weight_scale
    return (
        onednn_input_scale,
        onednn_weight_scale_conv if conv else linear,
        onednn_output_scale if plain else onednn_multiplier,
        onednn_dequantize_avx2 if avx2 else onednn_dequantize,
        onednn_bias if bias else onednn_no_bias,
        *_requantize(relu, plain),
        onednn_zero_point,
        onednn_clamp_wide if nan and (wide or not (avx2 or plain)) else onednn_clamp,
        onednn_round,
    )
