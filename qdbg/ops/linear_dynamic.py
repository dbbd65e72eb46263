"""Dynamic Linear: the input is quantized as it comes, by its own range; the result is float32."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qdbg.core.arithmetic import at_least, f32, f64, fma32, i32, rne, saturate
from qdbg.core.op import Call, Example, Kernel, NotSimulated, Op, layer_bias, layer_weight
from qdbg.core.op import real_operand as real_input
from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _onednn, linear, quantize
from qdbg.ops._products import products
from qdbg.ops._range import (
    FULL,
    input_scale,
    input_zero_point,
    largest,
    smallest,
    textbook_scale,
    textbook_zero_point,
    whole_range,
)

REDUCED = 127


@stage(
    "quantize",
    output="x_q uint8 [K]",
    formula="x_q[k] = min(max(rne(fma32(x[k], f32(1 / f32(x_scale)), x_zp)), 0), 255)",
)
def quantize_fused(x: Array, x_scale: Array, x_zp: Array) -> Array:
    """Quantize the inputs: FBGEMM multiplies by the reciprocal and adds the zero point in one
    float32 operation, before rounding."""
    return i32(saturate(rne(fma32(x, f32(1 / f64(f32(x_scale))), f64(x_zp))), 0, FULL))


@stage(
    "quantize",
    output="x_q uint8 [K]",
    formula="x_q[k] = min(max(wrap32(rne(min(f32(x[k]·f32(1 / f32(x_scale))), 2147483520)) + x_zp),"
    " 0), 255)",
)
def quantize_first(x: Array, x_scale: Array, x_zp: Array) -> Array:
    """Quantize the inputs: multiply by the reciprocal and round, then add the zero point, as ATen
    does in this release."""
    rounded = quantize.round_first.compute(quantize.scale_first.compute(x, x_scale))
    return saturate(quantize.add_in_register.compute(rounded, x_zp), 0, FULL)


@stage(
    "unit",
    output="a float32 [C]",
    formula="a[c] = f32(f32(x_scale)·f32(w_scale[c]))",
    constant=True,
)
def unit(x_scale: Array, w_scale: Array) -> Array:
    """The real value of one accumulator unit."""
    return f32(f64(f32(x_scale)) * f32(w_scale))


@stage("dequantize", output="y float32 [C]", formula="y[c] = fma32(f32(acc[c]), a[c], b[c])")
def dequantize_fused(acc: Array, a: Array, b: Array) -> Array:
    """Turn the accumulator into a real value and add the bias, in one float32 operation."""
    return fma32(f32(acc), a, b)


@stage("dequantize", output="y float32 [C]", formula="y[c] = f32(f32(f32(acc[c])·a[c]) + b[c])")
def dequantize_twice(acc: Array, a: Array, b: Array) -> Array:
    """Turn the accumulator into a real value, then add the bias: two float32 operations."""
    return f32(f64(f32(f64(f32(acc)) * a)) + b)


@stage("dequantize", output="y float32 [C]", formula="y[c] = f32(f32(acc[c])·a[c])")
def dequantize_plain(acc: Array, a: Array) -> Array:
    """Turn the accumulator into a real value; this layer has no bias."""
    return f32(f64(f32(acc)) * a)


@stage("relu", output="y_relu float32 [C]", formula="y_relu[c] = max(y[c], 0)")
def float_relu(y: Array) -> Array:
    """The fused ReLU, on the real value."""
    return at_least(y, f32(0))


@stage(
    "quantize",
    output="x_q uint8 [K]",
    formula="x_q[k] = min(max(rne(f32(f32(x[k]·f32(1 / x_s)) + x_zp)), 0), 255)",
)
def quantize_twice(x: Array, x_s: Array, x_zp: Array) -> Array:
    """Quantize the inputs: multiply by the reciprocal of the scale that oneDNN was handed, add the
    zero point in a second float32 operation, then round."""
    scaled = f32(f64(x) * f32(1 / f64(x_s)))
    return i32(saturate(rne(f32(f64(scaled) + f64(x_zp))), 0, FULL))


@stage(
    "dequantize",
    output="y float32 [C]",
    formula="y[c] = f32(f32(f32(f32(acc[c])·x_s)·w_s[c]) + b[c])",
)
def onednn_dequantize(acc: Array, x_s: Array, w_s: Array, b: Array) -> Array:
    """Turn the accumulator into a real value, times the input's scale, then times the weights'
    scale, and add the bias: three float32 operations."""
    return f32(f64(f32(f64(f32(f64(f32(acc)) * x_s)) * w_s)) + b)


@stage(
    "dequantize",
    output="y float32 [C]",
    formula="y[c] = f32(f32(f32(acc[c])·f32(x_s·w_s[c])) + b[c])",
)
def onednn_dequantize_avx2(acc: Array, x_s: Array, w_s: Array, b: Array) -> Array:
    """Turn the accumulator into a real value and add the bias. On AVX2 the two scales are
    multiplied with each other before."""
    return f32(f64(f32(f64(f32(acc)) * f32(f64(x_s) * w_s))) + b)


@stage("bias", output="b float32 [C]", formula="b[c] = 0, for each c of w_q", constant=True)
def zero_bias(w_q: Array) -> Array:
    """This layer has no bias."""
    return f32(np.zeros(len(w_q)))


@stage(
    "quantize",
    output="x_q uint8 [K]",
    formula="x_q[k] = min(max(rne(x[k] / x_scale) + x_zp, 0), 255)",
)
def textbook_quantize(x: Array, x_scale: Array, x_zp: Array) -> Array:
    """Divide the inputs by the scale, round, add the zero point."""
    return i32(saturate(rne(f64(x) / x_scale) + x_zp, 0, FULL))


@stage("dequantize", output="y float32 [C]", formula="y[c] = acc[c]·x_scale·w_scale[c] + b[c]")
def textbook_dequantize(acc: Array, x_scale: Array, w_scale: Array, b: Array) -> Array:
    """Turn the accumulator into a real value and add the bias."""
    return f64(acc) * x_scale * w_scale + b


def operands(call: Call) -> dict[str, Array]:
    """x float32 [n, K], w_q [C, K] and b [C]. Raises NotSimulated."""
    x = real_input(call) if len(call.inputs) == 1 else call.named("X")
    if not isinstance(x, np.ndarray) or x.dtype != np.float32:
        raise NotSimulated("its operand is not one float32 tensor")
    if not np.isfinite(x).all():
        raise NotSimulated("its input holds NaN or an infinity, which has no range")
    weight, bias = layer_weight(call), layer_bias(call)
    found = {
        "x": x.reshape(-1, x.shape[-1]),
        "w_q": weight.q,
        "w_scale": weight.qparams.scale,
        "w_zp": weight.qparams.zero_point,
        "top": np.array(REDUCED if call.setting("reduce_range") else FULL),
    }
    return found if bias is None else found | {"b": bias}


def kernel(arithmetic: Arithmetic, values: Values) -> Kernel:
    """That of Linear. QNNPACK's multipliers are those of a result of scale 1, and have to do too.
    Raises NotSimulated."""
    if arithmetic.engine != "qnnpack":
        return linear.kernel(arithmetic, values)
    span = {each.output: each.run(values) for each in (smallest, largest, whole_range)}
    given = {**values, "x_scale": input_scale.run(span), "y_scale": np.array(1.0)}
    return replace(linear.kernel(arithmetic, given), quantize=arithmetic.quantize)


def _into(own: Kernel) -> tuple[Stage, ...]:
    """From x to x_q. FBGEMM quantizes itself, QNNPACK has ATen do it."""
    span = (smallest, largest)
    if own.library == "FBGEMM":
        return (*span, input_scale, input_zero_point, quantize_fused)
    if own.library == "QNNPACK":
        last = quantize_first if own.quantize == ROUNDED else quantize_fused
        return (*span, whole_range, input_scale, input_zero_point, last)
    if own.library == "oneDNN":
        rounded = _onednn.onednn_input_scale
        return (*span, input_scale, input_zero_point, rounded, quantize_twice)
    return (*span, textbook_scale, textbook_zero_point, textbook_quantize)


def _back(own: Kernel, per_channel: bool) -> tuple[Stage, ...]:
    """From acc to y."""
    if own.library == "FBGEMM":
        return (unit, dequantize_fused)
    if own.library == "QNNPACK":
        return (unit, dequantize_twice)
    if own.library == "oneDNN":
        plain, listed = _onednn.onednn_weight_scale, _onednn.onednn_weight_scale_per_channel
        last = onednn_dequantize_avx2 if own.way_back == "onednn-avx2" else onednn_dequantize
        return (listed if per_channel else plain, last)
    return (textbook_dequantize,)


def _stages(own: Kernel, values: Values, relu: bool) -> tuple[Stage, ...]:
    sums = products(own, weight_zero_points=bool(np.any(values["w_zp"])))
    bias = () if "b" in values else (zero_bias,)
    back = _back(own, np.ndim(values["w_scale"]) > 0)
    return (*_into(own), *sums, *bias, *back, *((float_relu,) if relu else ()))


def stages(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """The stages of a plain dynamic Linear."""
    return _stages(own, values, relu=False)


def stages_relu(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """The stages with a fused ReLU."""
    return _stages(own, values, relu=True)


EXAMPLE = Example(
    "textbook",
    {
        "x": np.array([[0.0, 255.0]], np.float32),
        "w_q": np.array([[1, 2]], np.int8),
        "w_scale": 0.5,
        "w_zp": 0,
        "top": 255,
        "b": np.array([1.0], np.float32),
    },
    (256.0,),
)

OPS = (
    Op(
        "linear_dynamic",
        "Linear (dynamic)",
        operands,
        stages,
        (EXAMPLE,),
        ("quantized::linear_dynamic",),
        kernel,
        image=False,
    ),
    Op(
        "linear_relu_dynamic",
        "Linear + ReLU (dynamic)",
        operands,
        stages_relu,
        (EXAMPLE,),
        ("quantized::linear_relu_dynamic",),
        kernel,
        image=False,
    ),
)
