"""Quantize: real values to integers."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import (
    add32,
    f32,
    f64,
    fma32,
    mul32,
    not_above,
    rne,
    rne32,
    sat32,
    wrapped_sum,
)
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, real_operand
from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.quantity import RANGES, Array, QTensor
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops._clamp import clamp_each

WORD = "twice"
"""An operand of calls whose kernel rounds twice: results of 32 bits, or a scale per channel."""
BYTE = 255
LARGEST = np.float32(2147483520)
"""The largest float32 below 2³¹: the kernel bounds the value with it before it rounds."""


@stage(
    "quantize",
    output="s float32 [I]",
    formula="s[i] = fma32(x[i], f32(1 / f32(y_scale)), y_zp)",
)
def scale_fused(x: Array, y_scale: Array, y_zp: Array) -> Array:
    """Divide by the scale and add the zero point. PyTorch multiplies by the reciprocal and adds
    the zero point in one float32 operation, before rounding."""
    return fma32(x, f32(1 / f64(f32(y_scale))), f64(y_zp))


@stage("round", output="z int32 [I]", formula="z[i] = rne(min(s[i], 2147483520))")
def round_bounded(s: Array) -> Array:
    """Round to the nearest integer; a tie (.5) goes to the even neighbour."""
    return rne32(not_above(s, LARGEST))


@stage("quantize", output="s float32 [I]", formula="s[i] = f32(x[i]·f32(1 / f32(y_scale)))")
def scale_first(x: Array, y_scale: Array) -> Array:
    """Divide by the scale: PyTorch multiplies by the reciprocal. This release adds the zero point
    behind rounding."""
    return mul32(f32(x), f32(1 / f64(f32(y_scale))))


@stage("round", output="r int32 [I]", formula="r[i] = rne(min(s[i], 2147483520))")
def round_first(s: Array) -> Array:
    """Round to the nearest integer; a tie (.5) goes to the even neighbour."""
    return round_bounded.compute(s)


@stage("zero point", output="z int32 [I]", formula="z[i] = wrap32(r[i] + y_zp)")
def add_in_register(r: Array, y_zp: Array) -> Array:
    """Add the zero point, the integer that stands for the real value 0. A sum beyond int32 wraps:
    the largest values then become the smallest integer."""
    return wrapped_sum(r, y_zp)


@stage("quantize", output="s float64 [I]", formula="s[i] = x[i] / y_scale")
def scale_divide(x: Array, y_scale: Array) -> Array:
    """Divide by the scale: how many steps the value is away from 0."""
    return f64(x) / y_scale


@stage("round", output="r int32 [I]", formula="r[i] = rne(s[i])")
def round_divided(s: Array) -> Array:
    """Round to the nearest integer; a tie (.5) goes to the even neighbour."""
    return sat32(rne(s))


@stage("zero point", output="z int32 [I]", formula="z[i] = r[i] + y_zp")
def add_zero_point(r: Array, y_zp: Array) -> Array:
    """Add the zero point, the integer that stands for the real value 0."""
    return sat32(f64(r) + y_zp)


@stage(
    "quantize",
    output="s float32 [I]",
    formula="s[i] = f32(f32(x[i]·f32(1 / f32(y_scale[i]))) + y_zp[i])",
)
def scale_twice(x: Array, y_scale: Array, y_zp: Array) -> Array:
    """Multiply by the reciprocal of the scale and add the zero point, before rounding: two float32
    operations. With one scale per channel, y_scale[i] and y_zp[i] are those of its channel."""
    inverse = f32(1 / f64(f32(y_scale)))
    return f32(f64(f32(f64(x) * inverse)) + f64(y_zp))


@stage("round", output="z int32 [I]", formula="z[i] = sat32(rne(s[i]))")
def round_whole(s: Array) -> Array:
    """Round to the nearest integer; a tie (.5) goes to the even neighbour. NaN becomes 0."""
    return np.where(np.isnan(s), 0, sat32(rne(s)))


@stage("round", output="z int32 [I]", formula="z[i] = sat32(rne(s[i]))")
def round_word(s: Array) -> Array:
    """Round to the nearest integer, within 32 bits; a tie (.5) goes to the even neighbour. NaN
    becomes −2³¹."""
    return sat32(rne(s))


@stage("quantize", output="s float32 [I]", formula="s[i] = f32(x[i]·f32(1 / f32(y_scale[i])))")
def scale_each(x: Array, y_scale: Array) -> Array:
    """Multiply by the reciprocal of the scale; with one scale per channel, y_scale[i] is that of
    its channel. This release adds the zero point behind rounding."""
    return scale_first.compute(x, y_scale)


@stage("round", output="r float32 [I]", formula="r[i] = rne(s[i])")
def round_each(s: Array) -> Array:
    """Round to the nearest integer; a tie (.5) goes to the even neighbour."""
    return rne(s)


@stage("zero point", output="z int32 [I]", formula="z[i] = sat32(f32(r[i] + y_zp[i]))")
def shift_whole(r: Array, y_zp: Array) -> Array:
    """Add the zero point, that of its channel, in float32. NaN becomes 0."""
    return round_whole.compute(add32(r, f32(y_zp)))


@stage("zero point", output="z int32 [I]", formula="z[i] = sat32(f32(r[i] + y_zp[i]))")
def shift_word(r: Array, y_zp: Array) -> Array:
    """Add the zero point in float32, within 32 bits. NaN becomes −2³¹."""
    return sat32(add32(r, f32(y_zp)))


def operands(call: Call) -> dict[str, Array]:
    """x float32, in its own shape. Raises NotSimulated."""
    if "qint32" in call.node.dtype:
        return {"x": real(call), **output_operands(call, ("qint32",)), WORD: np.array(True)}
    return {"x": real(call), **output_operands(call, BYTES)}


def channel_operands(call: Call) -> dict[str, Array]:
    """x float32 and for each of its elements the scale and zero point of its channel. Raises
    NotSimulated."""
    output, x = call.node.output, real(call)
    if output is None or output.axis is None or output.dtype not in RANGES:
        raise NotSimulated(f"its result is {call.node.dtype}, not one with a scale per channel")
    held = call.named("zero_points")
    if held is not None and not isinstance(held, QTensor) and held.dtype.kind == "f":
        raise NotSimulated("its zero points are not integers")
    shape = [-1 if i == output.axis else 1 for i in range(x.ndim)]
    return {
        "x": x,
        "y_scale": np.broadcast_to(output.scale.reshape(shape), x.shape),
        "y_zp": np.broadcast_to(output.zero_point.reshape(shape), x.shape),
        "qmin": np.array(output.qmin, np.int64),
        "qmax": np.array(output.qmax, np.int64),
        WORD: np.array(True),
    }


def real(call: Call) -> Array:
    """The float32 tensor, where there are several its own part. Raises NotSimulated."""
    tensors = [x for x, n in zip(call.inputs, call.node.names, strict=False) if n == "tensors"]
    held = tensors[call.setting("part", 0)] if tensors else call.named("self")
    held = call.named("input") if held is None else held
    if held is None:
        return real_operand(call)
    if isinstance(held, QTensor) or held.dtype != np.float32:
        raise NotSimulated("its operand is not a float32 tensor")
    return held


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """Zero point before or after rounding, as the arithmetic has it."""
    first = arithmetic.quantize == ROUNDED
    if WORD in values and arithmetic.engine != "textbook":
        wide = int(values["qmax"]) > BYTE
        if first:
            return (scale_each, round_each, shift_word if wide else shift_whole, clamp_each)
        return (scale_twice, round_word if wide else round_whole, clamp_each)
    if first:
        return (scale_first, round_first, add_in_register, clamp_each)
    if arithmetic.quantize == "fused":
        return (scale_fused, round_bounded, clamp_each)
    return (scale_divide, round_divided, add_zero_point, clamp_each)


def integers_of(x: Array, arithmetic: Arithmetic, values: Values) -> Array:
    """What `quantize_per_tensor` makes of real numbers, with the parameters of the result in
    `values`."""
    made = {**values, "x": f32(x)}
    for each in stages(arithmetic, {}):
        made[each.output] = each.run(made)
    return np.asarray(made["y_q"])


def _example(arithmetic: str, expected: int) -> Example:
    """x = 0.05 at scale 0.1 is a tie: 117.5 rounds to 118, 0.5 rounds to 0."""
    x = np.array([0.05], np.float32)
    shared = {"y_scale": 0.1, "y_zp": 117, "qmin": 0, "qmax": 255}
    return Example(arithmetic, {"x": x, **shared}, (expected,))


PER_CHANNEL = Example(
    "fbgemm-avx2",
    {
        "x": np.array([[1.0], [1.0]], np.float32),
        "y_scale": np.array([[0.5], [0.25]]),
        "y_zp": np.array([[3], [0]]),
        "qmin": -128,
        "qmax": 127,
        "twice": np.array(True),
    },
    (5, 4),
)

ROWS = ("x", "y_scale", "y_zp")

OPS = (
    Op(
        "quantize",
        "Quantize",
        operands,
        stages,
        (_example("fbgemm-avx2", 118), _example("qnnpack-vnni", 118)),
        ("aten::quantize_per_tensor",),
        rows=ROWS,
    ),
    Op(
        "quantize_per_channel",
        "Quantize per channel",
        channel_operands,
        stages,
        (PER_CHANNEL,),
        ("aten::quantize_per_channel",),
        rows=ROWS,
    ),
)
