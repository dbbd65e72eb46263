"""Quantize: real values to integers."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import Arithmetic, f32, f64, fma32, rne, rne32, sat32
from qdbg.core.op import Call, Example, Op, output_operands, real_operand
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops._clamp import clamp_each

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
    return rne32(np.where(s < LARGEST, s, LARGEST))


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


def operands(call: Call) -> dict[str, Array]:
    """x float32, in its own shape. Raises NotSimulated."""
    return {"x": real_operand(call), **output_operands(call)}


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """Zero point before or after rounding, as the arithmetic has it."""
    del values
    if arithmetic.quantize == "fused":
        return (scale_fused, round_bounded, clamp_each)
    return (scale_divide, round_divided, add_zero_point, clamp_each)


def _example(arithmetic: str, expected: int) -> Example:
    """x = 0.05 at scale 0.1 is a tie: 117.5 rounds to 118, 0.5 rounds to 0."""
    x = np.array([0.05], np.float32)
    shared = {"y_scale": 0.1, "y_zp": 117, "qmin": 0, "qmax": 255}
    return Example(arithmetic, {"x": x, **shared}, (expected,))


OPS = (
    Op(
        "quantize",
        "Quantize",
        operands,
        stages,
        (_example("fbgemm-avx2", 118), _example("qnnpack-vnni", 118)),
        ("aten::quantize_per_tensor",),
    ),
)
