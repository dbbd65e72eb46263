"""Float32 sums whose order PyTorch chooses: claimed where no order makes a difference.

Whatever the order is, a sum stays within a known distance of the exact one. Where both ends of that
distance give the same integer, so does every order.
"""

from __future__ import annotations

from qdbg.core.op import NotSimulated
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Values
from qdbg.ops.quantize import integers_of

EXACT = 2.0**24
"""Integers up to here are exact in float32."""
HALF_ULP = 2.0**-24
"""The relative error of one float32 operation."""


def refuse_unless_equal(
    exact: Array, distance: Array, arithmetic: Arithmetic, values: Values, reason: str
) -> None:
    """Raise NotSimulated, for the reason, where real results as far from the exact ones as
    `distance` are different integers."""
    low, high = (integers_of(exact + d, arithmetic, values) for d in (-distance, distance))
    if not (low == high).all():
        raise NotSimulated(reason)
