"""Add two quantized tensors, as `quantized::add` and `quantized::add_relu` do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.core.arithmetic import add32, at_least, f32, f64, fma32, for_each_byte
from qdbg.core.op import Call, Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops import _add_fixed, _binary, _xnnpack
from qdbg.ops._clamp import clamp_each
from qdbg.ops._elementwise import BLOCK, quantize_of, quantize_textbook, reciprocal

ZERO = np.zeros((), np.float32)


def _vector(scale: Array, q: Array, zero_point: Array) -> Array:
    narrow = f32(scale)
    less = f32(f64(narrow) * -f64(zero_point))
    return for_each_byte(lambda each: fma32(narrow, each, less), q)


def _single(scale: Array, q: Array, zero_point: Array) -> Array:
    less = f64(zero_point)
    return for_each_byte(lambda each: f32(f64(f32(scale)) * (f64(each) - less)), q)


@stage(
    "dequantize a",
    output="a float32 [I]",
    formula="a[i] = fma32(f32(a_scale), a_q[i], f32(f32(a_scale)·(-a_zp)))",
)
def first_block(a_scale: Array, a_q: Array, a_zp: Array) -> Array:
    """The real value of the first operand. This element lies in a whole vector block: the kernel
    takes the zero point off in one operation with the product."""
    return _vector(a_scale, a_q, a_zp)


@stage("dequantize a", output="a float32 [I]", formula="a[i] = f32(f32(a_scale)·(a_q[i] − a_zp))")
def first_tail(a_scale: Array, a_q: Array, a_zp: Array) -> Array:
    """The real value of the first operand. This element is left over at the end of a row, where
    no whole vector block fits: the zero point is subtracted first."""
    return _single(a_scale, a_q, a_zp)


@stage("dequantize a", output="a float64 [I]", formula="a[i] = a_scale·(a_q[i] − a_zp)")
def first_textbook(a_scale: Array, a_q: Array, a_zp: Array) -> Array:
    """The real value of the first operand."""
    return np.asarray(f64(a_scale) * (f64(a_q) - f64(a_zp)))


@stage(
    "dequantize b",
    output="b float32 [I]",
    formula="b[i] = fma32(f32(b_scale), b_q[i], f32(f32(b_scale)·(-b_zp)))",
)
def second_block(b_scale: Array, b_q: Array, b_zp: Array) -> Array:
    """The real value of the second operand, in a whole vector block as the first."""
    return _vector(b_scale, b_q, b_zp)


@stage("dequantize b", output="b float32 [I]", formula="b[i] = f32(f32(b_scale)·(b_q[i] − b_zp))")
def second_tail(b_scale: Array, b_q: Array, b_zp: Array) -> Array:
    """The real value of the second operand, left over at the end of a row as the first."""
    return _single(b_scale, b_q, b_zp)


@stage("dequantize b", output="b float64 [I]", formula="b[i] = b_scale·(b_q[i] − b_zp)")
def second_textbook(b_scale: Array, b_q: Array, b_zp: Array) -> Array:
    """The real value of the second operand."""
    return np.asarray(f64(b_scale) * (f64(b_q) - f64(b_zp)))


@stage("add", output="u float32 [I]", formula="u[i] = f32(a[i] + b[i])")
def add(a: Array, b: Array) -> Array:
    """Add the two real values."""
    return add32(a, b)


@stage("add", output="u float32 [I]", formula="u[i] = max(f32(a[i] + b[i]), 0)")
def add_relu(a: Array, b: Array) -> Array:
    """Add the two real values; the fused ReLU keeps nothing below 0."""
    return at_least(add32(a, b), ZERO)


@stage("add", output="u float64 [I]", formula="u[i] = a[i] + b[i]")
def add_textbook(a: Array, b: Array) -> Array:
    """Add the two real values."""
    return f64(a) + f64(b)


@stage("add", output="u float64 [I]", formula="u[i] = max(a[i] + b[i], 0)")
def add_relu_textbook(a: Array, b: Array) -> Array:
    """Add the two real values; the fused ReLU keeps nothing below 0."""
    return at_least(f64(a) + f64(b), ZERO)


first = split(BLOCK, first_block, first_tail)
second = split(BLOCK, second_block, second_tail)


def operands(call: Call) -> dict[str, Array]:
    """a_q, b_q and their parameters; `fixed` tells whether QNNPACK's own kernel takes the shapes
    and types. Raises NotSimulated."""
    values = _binary.operands(call)
    own = _binary.same_shapes(call) and values["a_q"].dtype == np.uint8
    return values | {_add_fixed.FIXED: np.array(own)}


def stages_of(*, relu: bool) -> Callable[[Arithmetic, Values], tuple[Stage, ...]]:
    """The common kernel's stages, or QNNPACK's own. They raise NotSimulated."""

    def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
        if arithmetic.engine == "textbook":
            summed = add_relu_textbook if relu else add_textbook
            return (first_textbook, second_textbook, summed, quantize_textbook, clamp_each)
        if arithmetic.engine == "qnnpack" and bool(values[_add_fixed.FIXED]):
            return _add_fixed.stages(values, relu=relu)
        if arithmetic.engine == "qnnpack" and _xnnpack.takes(arithmetic, values):
            return _xnnpack.addition(values, relu=relu)
        summed = add_relu if relu else add
        return (first, second, summed, reciprocal, quantize_of(arithmetic), clamp_each)

    return stages


def _example(arithmetic: str, expected: tuple[int, ...]) -> Example:
    """1 + 0.75 is 3.5 output steps, a tie: rounded before the zero point it gives 4 + 1, after it
    4.5 gives 4; the fixed-point kernel rounds away from zero."""
    return Example(
        arithmetic,
        {
            "a_q": np.array([3, 3], np.uint8),
            "a_scale": 0.5,
            "a_zp": 1,
            "b_q": np.array([5, 5], np.uint8),
            "b_scale": 0.25,
            "b_zp": 2,
            "y_scale": 0.5,
            "y_zp": 1,
            "qmin": 0,
            "qmax": 255,
            "block": np.array([True, False]),
            "fixed": np.array(True),
        },
        expected,
    )


EXAMPLES = (
    _example("fbgemm-avx2", (5, 4)),
    _example("qnnpack-vnni", (5, 5)),
    _example("textbook", (5, 5)),
)

OPS = (
    Op(
        "add",
        "Add",
        operands,
        stages_of(relu=False),
        EXAMPLES,
        ("quantized::add",),
        rows=_binary.ROWS,
    ),
    Op(
        "add_relu",
        "Add + ReLU",
        operands,
        stages_of(relu=True),
        EXAMPLES,
        ("quantized::add_relu",),
        rows=_binary.ROWS,
    ),
)
