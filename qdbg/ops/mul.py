"""Multiply two quantized tensors, as `quantized::mul` and `quantized::mul_relu` do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.core.arithmetic import f32, f64, i32
from qdbg.core.op import Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _binary, _xnnpack
from qdbg.ops._clamp import clamp_each, relu_clamp_each
from qdbg.ops._refused import check_int64
from qdbg.ops._requantized import round_and_shift, round_textbook, scale, scale_textbook

LARGEST = 255 * 255
"""No product of two centred bytes is larger."""


@stage("multiply", output="acc int32 [I]", formula="acc[i] = (a_q[i] − a_zp)·(b_q[i] − b_zp)")
def multiply(a_q: Array, a_zp: Array, b_q: Array, b_zp: Array) -> Array:
    """Subtract both zero points and multiply: exact integers."""
    return np.asarray((i32(a_q) - i32(a_zp)) * (i32(b_q) - i32(b_zp)))


@stage(
    "multiplier",
    output="M float32",
    formula="M = f32(f32(f32(a_scale)·f32(b_scale))·f32(1 / f32(y_scale)))",
    constant=True,
)
def multiplier(a_scale: Array, b_scale: Array, y_scale: Array) -> Array:
    """How many output steps one unit of the product is worth."""
    return f32(f64(f32(f64(f32(a_scale)) * f32(b_scale))) * f32(1 / f64(f32(y_scale))))


@stage(
    "multiplier",
    output="M float32",
    formula="M = f32(f32(f32(a_scale)·f32(b_scale)) / f32(y_scale))",
    constant=True,
)
def multiplier_xnnpack(a_scale: Array, b_scale: Array, y_scale: Array) -> Array:
    """How many output steps one unit of the product is worth. XNNPACK multiplies qint8 tensors in
    this release, and divides by the output's scale."""
    return f32(f64(f32(f64(f32(a_scale)) * f32(b_scale))) / f64(f32(y_scale)))


@stage("multiplier", output="M float64", formula="M = a_scale·b_scale / y_scale", constant=True)
def multiplier_textbook(a_scale: Array, b_scale: Array, y_scale: Array) -> Array:
    """How many output steps one unit of the product is worth."""
    return f64(a_scale) * f64(b_scale) / f64(y_scale)


def stages_of(*, relu: bool) -> Callable[[Arithmetic, Values], tuple[Stage, ...]]:
    """The same on every engine. Raises NotSimulated for results that PyTorch does not saturate."""

    def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
        last = relu_clamp_each if relu else clamp_each
        if arithmetic.engine == "textbook":
            return (multiply, multiplier_textbook, scale_textbook, round_textbook, last)
        if _xnnpack.multiplies(arithmetic, values):
            return (multiply, multiplier_xnnpack, scale, _xnnpack.round_and_shift, last)
        if not np.all(values["block"]):
            with np.errstate(all="ignore"):
                check_int64(f64(multiplier.run(values)) * LARGEST)
        return (multiply, multiplier, scale, round_and_shift, last)

    return stages


EXAMPLE = Example(
    "fbgemm-avx2",
    {
        "a_q": np.array([3, 0], np.uint8),
        "a_scale": 0.5,
        "a_zp": 1,
        "b_q": np.array([5, 5], np.uint8),
        "b_scale": 0.5,
        "b_zp": 2,
        "y_scale": 0.5,
        "y_zp": 1,
        "qmin": 0,
        "qmax": 255,
        "block": np.array([False, False]),
    },
    (4, 0),  # 2·3·0.5 = 3; −1·3·0.5 = −1.5 rounds to −2
)

RELU = Example("fbgemm-avx2", EXAMPLE.operands, (4, 1))

OPS = (
    Op(
        "mul",
        "Multiply",
        _binary.operands,
        stages_of(relu=False),
        (EXAMPLE,),
        ("quantized::mul",),
        rows=_binary.ROWS,
    ),
    Op(
        "mul_relu",
        "Multiply + ReLU",
        _binary.operands,
        stages_of(relu=True),
        (RELU,),
        ("quantized::mul_relu",),
        rows=_binary.ROWS,
    ),
)
