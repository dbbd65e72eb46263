"""XNNPACK's multiplication and addition of qint8 tensors, which PyTorch 2.12 takes.

Measured: `quantized::mul` goes there under every engine, `quantized::add` under QNNPACK alone.
"""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import at_least, exponent, rne32, shift_half_up, sum16
from qdbg.core.op import NotSimulated
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _add_fixed
from qdbg.ops._add_fixed import add_zero_point, multiplier_a, multiplier_b, ratio_a, ratio_b
from qdbg.ops._binary import ALIKE
from qdbg.ops._clamp import clamp_each, relu_clamp_each
from qdbg.ops._refused import check_scales

LIBRARY = "XNNPACK"
SCALES = ("a_scale", "b_scale", "y_scale")
BITS = 20
"""The larger multiplier of an addition has this many bits below its highest one."""
SMALLEST, BEYOND = 2.0**-10, 2.0**8
"""Between which the larger ratio of an addition lies, the second one not included."""
TOP = 127
"""With this zero point ATen multiplies itself."""
MISREAD = (
    "PyTorch's result is wrong: XNNPACK reads the memory of both qint8 tensors as if it were in the"
    " order of the first one, and here it is not"
)


def takes(arithmetic: Arithmetic, values: Values) -> bool:
    """Whether the tensors are of the type that XNNPACK takes, where this release asks it."""
    return arithmetic.qint8 == LIBRARY and int(values["qmin"]) < 0


def multiplies(arithmetic: Arithmetic, values: Values) -> bool:
    """Whether XNNPACK multiplies the tensors. Raises NotSimulated where it refuses or misreads
    them."""
    if not takes(arithmetic, values) or int(values["y_zp"]) >= TOP:
        return False
    check_scales(values, *SCALES, library=LIBRARY)
    if not values[ALIKE]:
        raise NotSimulated(MISREAD)
    return True


@stage("round", output="z int32 [I]", formula="z[i] = sat16(sat16(rne32(s[i])) + y_zp)")
def round_and_shift(s: Array, y_zp: Array) -> Array:
    """Round to the nearest integer, half to even, and add the zero point, both within int16. What
    lies beyond int32 becomes −2³¹ before."""
    return sum16(rne32(s), y_zp)


@stage(
    "shift",
    output="shift int32",
    formula="shift = 20 − floor(log2(max(ratio_a, ratio_b)))",
    constant=True,
)
def shift(ratio_a: Array, ratio_b: Array) -> Array:
    """By how many binary places both ratios are moved to the left, so that the larger one becomes
    an integer of 21 bits."""
    return np.asarray(BITS - exponent(at_least(ratio_a, ratio_b)))


@stage(
    "add",
    output="acc int32 [I]",
    formula="acc[i] = wrap32(A·(a_q[i] − a_zp) + B·(b_q[i] − b_zp))",
)
def add(A: Array, a_q: Array, a_zp: Array, B: Array, b_q: Array, b_zp: Array) -> Array:
    """Add the two operands in units of 2^−shift output steps: under QNNPACK this release has
    XNNPACK add qint8 tensors, in integers."""
    return _add_fixed.add.compute(A, a_q, a_zp, B, b_q, b_zp)


@stage("round", output="r int32 [I]", formula="r[i] = floor(acc[i] / 2^shift + 0.5)")
def round_up(acc: Array, shift: Array) -> Array:
    """Shift back to output steps; a tie (.5) goes up, not to the even neighbour."""
    return shift_half_up(acc, int(shift))


def addition(values: Values, *, relu: bool) -> tuple[Stage, ...]:
    """From both operands to `y_q`. Raises NotSimulated for scales that XNNPACK refuses, and ratios
    that it is not made for."""
    check_scales(values, *SCALES, library=LIBRARY)
    largest = at_least(ratio_a.run(values), ratio_b.run(values))
    if not SMALLEST <= largest < BEYOND:
        raise NotSimulated(
            "XNNPACK adds where a step of the larger operand is worth 2^-10 to 2^8 steps of the"
            f" result, here {float(largest):.6g}"
        )
    last = relu_clamp_each if relu else clamp_each
    constants = (ratio_a, ratio_b, shift, multiplier_a, multiplier_b)
    return (*constants, add, round_up, add_zero_point, last)
