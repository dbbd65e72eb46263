"""Matrix product of two quantized tensors: claimed where no order of its sums makes a difference.

PyTorch dequantizes both operands, multiplies float32 matrices and quantizes the result. The order
of the float32 sums is the matrix library's own. Whatever it is, the sum stays within a known
distance of the exact one; where that distance decides about an integer, the call is refused.
"""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, odd_part
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import quantize
from qdbg.ops._orders import EXACT, HALF_ULP, refuse_unless_equal
from qdbg.ops.add import first_tail, first_textbook, second_tail, second_textbook

SMALLEST = 2.0**-100
"""Products of scales well inside float32's exponents."""
REASON = (
    "it adds float32 numbers in an order that the matrix library chooses, and a sum lies so near a "
    "rounding tie that the order decides about the integer"
)

HALF_STEP = 2.0**-150
"""The largest error of one float32 operation on the smallest numbers."""
LARGEST = 2.0**127
"""Below this no sum of so many products leaves float32, however its parts were rounded."""
OVERFLOW = (
    "it adds float32 numbers in an order that the matrix library chooses, and some are so large "
    "that the order decides whether a sum leaves float32"
)


@stage("matmul", output="x float32 [I]", formula="x[i] = Σₖ a[.., k]·b[k, ..]")
def matmul(a: Array, b: Array) -> Array:
    """The sum of products. PyTorch rounds each partial sum to float32, in an order of its own;
    here no order leads to another integer in the end, so this is the exact sum, rounded once."""
    return f32(np.matmul(f64(a), f64(b)))


@stage("matmul", output="x float64 [I]", formula="x[i] = Σₖ a[.., k]·b[k, ..]")
def matmul_textbook(a: Array, b: Array) -> Array:
    """The sum of products."""
    found: Array = np.matmul(f64(a), f64(b))
    return found


def operands(call: Call) -> dict[str, Array]:
    """a_q [.., N, K], b_q [.., K, C] and the parameters. Raises NotSimulated."""
    a, b = quantized_operand(call, 0, BYTES), quantized_operand(call, 1, BYTES)
    return {
        "a_q": a.q,
        "a_scale": a.qparams.scale,
        "a_zp": a.qparams.zero_point,
        "b_q": b.q,
        "b_scale": b.qparams.scale,
        "b_zp": b.qparams.zero_point,
        **output_operands(call, BYTES),
    }


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The sums, quantized as `quantize_per_tensor` does. Raises NotSimulated where their order
    decides about an integer."""
    if arithmetic.engine == "textbook":
        into = (first_textbook, second_textbook, matmul_textbook)
        return (*into, *quantize.stages(arithmetic, values))
    if not _exact(values):
        _refuse_doubtful(arithmetic, values)
    return (first_tail, second_tail, matmul, *quantize.stages(arithmetic, values))


def _exact(values: Values) -> bool:
    """Whether every partial sum is a small enough integer in units of both scales."""
    size, smallest = None, 1.0
    for side in ("a", "b"):
        scale = f32(values[f"{side}_scale"])
        if not np.isfinite(scale):
            return False
        unit = odd_part(scale)
        smallest *= float(scale) / unit
        height = np.abs(f64(values[f"{side}_q"]) - f64(values[f"{side}_zp"])) * unit
        if height.max(initial=0) > EXACT:
            return False
        size = height if size is None else np.matmul(size, height)
    fits = size is not None and size.max(initial=0) <= EXACT
    return bool(fits and SMALLEST <= smallest <= 1 / SMALLEST)


def _refuse_doubtful(arithmetic: Arithmetic, values: Values) -> None:
    a = f64(first_tail.run(values))
    b = f64(second_tail.run(values))
    with np.errstate(invalid="ignore"):
        total, reach = np.matmul(a, b), np.matmul(np.abs(a), np.abs(b))
    if not (reach < LARGEST).all():
        raise NotSimulated(OVERFLOW)
    each = HALF_ULP * reach * (1 + HALF_ULP * 256) + HALF_STEP
    distance = (a.shape[-1] + 2) * each
    refuse_unless_equal(total, distance, arithmetic, values, REASON)


EXAMPLE = Example(
    "fbgemm-avx2",
    {
        "a_q": np.array([[3, 0]], np.uint8),
        "a_scale": 0.5,
        "a_zp": 1,
        "b_q": np.array([[5], [4]], np.uint8),
        "b_scale": 0.5,
        "b_zp": 2,
        "y_scale": 0.5,
        "y_zp": 1,
        "qmin": 0,
        "qmax": 255,
    },
    (3,),  # (2·3 − 1·2)·0.25 / 0.5 = 2
)

OPS = (Op("matmul", "Matrix product", operands, stages, (EXAMPLE,), ("quantized::matmul",)),)
