"""Multiply a quantized tensor by a number: only its parameters change, or its sign."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.core.arithmetic import i32
from qdbg.core.op import Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _scalar


def _three(symbol: str) -> tuple[Stage, Stage, Stage]:
    @stage("copy", output=f"{symbol} byte [I]", formula=f"{symbol}[i] = x_q[i]")
    def positive(x_q: Array) -> Array:
        """The number is above 0: the integers stay, the result's scale is that many times the
        operand's."""
        return x_q

    @stage("mirror", output=f"{symbol} byte [I]", formula=f"{symbol}[i] = qmax + qmin − x_q[i]")
    def negative(qmax: Array, qmin: Array, x_q: Array) -> Array:
        """The number is below 0: the integers are mirrored, as is the zero point, and the scale is
        multiplied by the number without its sign."""
        return i32(qmax) + i32(qmin) - i32(x_q)

    @stage("zero", output=f"{symbol} byte [I]", formula=f"{symbol}[i] = x_q[i]·0")
    def nothing(x_q: Array) -> Array:
        """The number is 0: every integer is 0, with scale 1 and zero point 0."""
        return np.zeros_like(i32(x_q))

    return positive, negative, nothing


plain, before_relu = _three("y_q"), _three("t_q")


def stages_of(*, relu: bool) -> Callable[[Arithmetic, Values], tuple[Stage, ...]]:
    """The same for every arithmetic; which ones depends on the number's sign."""

    def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
        del arithmetic
        c = float(values["c"])
        place = 0 if c > 0 else 2 if c == 0 else 1
        return (before_relu[place], _scalar.relu) if relu else (plain[place],)

    return stages


def _example(c: float, y_zp: int, expected: tuple[int, ...]) -> Example:
    x = np.array([0, 3, 255], np.uint8)
    shared = {"x_scale": 0.5, "x_zp": 3, "qmin": 0, "qmax": 255, "block": np.zeros(3, bool)}
    return Example("fbgemm-avx2", {"x_q": x, "c": c, "y_zp": y_zp, **shared}, expected)


OPS = (
    Op(
        "mul_scalar",
        "Multiply by a number",
        _scalar.operands,
        stages_of(relu=False),
        (_example(2.0, 3, (0, 3, 255)), _example(-1.0, 252, (255, 252, 0))),
        ("quantized::mul_scalar", "quantized::mul.Scalar", "quantized::mul.Scalar2"),
    ),
    Op(
        "mul_scalar_relu",
        "Multiply by a number + ReLU",
        _scalar.operands,
        stages_of(relu=True),
        (_example(-1.0, 252, (255, 252, 252)), _example(0.0, 0, (0, 0, 0))),
        ("quantized::mul_scalar_relu", "quantized::mul_relu.Scalar", "quantized::mul_relu.Scalar2"),
    ),
)
