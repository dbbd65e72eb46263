"""Add a number to a quantized tensor: the zero point moves, or the integers do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.core.arithmetic import f32, f64, i32, i64, rne
from qdbg.core.op import Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _scalar
from qdbg.ops._clamp import clamp_each, relu_clamp_each
from qdbg.ops._requantized import round_and_shift, round_textbook, scale, scale_textbook


@stage("number", output="c_q int64", formula="c_q = rne(c / x_scale)", constant=True)
def steps(c: Array, x_scale: Array) -> Array:
    """How many steps of the operand the number is: more precision than that it cannot have."""
    return i64(rne(f64(c) / f64(x_scale)))


@stage("copy", output="t_q byte [I]", formula="t_q[i] = x_q[i]")
def copy_before_relu(x_q: Array) -> Array:
    """x_zp − c_q fits the range and becomes the result's zero point: the same integers then stand
    for values that are larger by c_q steps."""
    return x_q


@stage("copy", output="y_q byte [I]", formula="y_q[i] = x_q[i]")
def copy(x_q: Array) -> Array:
    """x_zp − c_q fits the range and becomes the result's zero point: the same integers then stand
    for values that are larger by c_q steps."""
    return x_q


@stage("add", output="acc int32 [I]", formula="acc[i] = x_q[i] − x_zp + c_q")
def add(x_q: Array, x_zp: Array, c_q: Array) -> Array:
    """x_zp − c_q lies outside the range, so that the result gets a scale and a zero point of its
    own: here is the sum in steps of the operand."""
    return i32(i64(x_q) - i64(x_zp) + i64(c_q))


@stage(
    "multiplier",
    output="M float32",
    formula="M = f32(f32(x_scale)·f32(1 / f32(y_scale)))",
    constant=True,
)
def multiplier(x_scale: Array, y_scale: Array) -> Array:
    """How many steps of the result one step of the operand is worth."""
    return f32(f64(f32(x_scale)) * f32(1 / f64(f32(y_scale))))


@stage("multiplier", output="M float64", formula="M = x_scale / y_scale", constant=True)
def multiplier_textbook(x_scale: Array, y_scale: Array) -> Array:
    """How many steps of the result one step of the operand is worth."""
    return f64(x_scale) / f64(y_scale)


def stages_of(*, relu: bool) -> Callable[[Arithmetic, Values], tuple[Stage, ...]]:
    """The same on every engine; which ones depends on where the zero point would go."""

    def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
        moved = float(values["x_zp"]) - float(steps.compute(values["c"], values["x_scale"]))
        if float(values["qmin"]) <= moved <= float(values["qmax"]):
            return (steps, copy_before_relu, _scalar.relu) if relu else (steps, copy)
        last = relu_clamp_each if relu else clamp_each
        if arithmetic.engine == "textbook":
            return (steps, add, multiplier_textbook, scale_textbook, round_textbook, last)
        return (steps, add, multiplier, scale, round_and_shift, last)

    return stages


SHARED = {"x_scale": 0.5, "qmin": 0, "qmax": 255, "block": np.array([False, False])}
X = np.array([0, 255], np.uint8)

MOVED = Example(
    "fbgemm-avx2", {"x_q": X, "x_zp": 9, "c": 2.0, "y_scale": 0.5, "y_zp": 5, **SHARED}, (0, 255)
)
GROWN = Example(
    "fbgemm-avx2",
    {"x_q": X, "x_zp": 0, "c": 127.5, "y_scale": 1.0, "y_zp": 0, **SHARED},
    (128, 255),  # 0 + 127.5 is a tie and goes to 128
)
OPS = (
    Op(
        "add_scalar",
        "Add a number",
        _scalar.operands,
        stages_of(relu=False),
        (MOVED, GROWN),
        ("quantized::add_scalar", "quantized::add.Scalar", "quantized::add.Scalar2"),
    ),
    Op(
        "add_scalar_relu",
        "Add a number + ReLU",
        _scalar.operands,
        stages_of(relu=True),
        (GROWN,),
        ("quantized::add_scalar_relu", "quantized::add_relu.Scalar", "quantized::add_relu.Scalar2"),
    ),
)
