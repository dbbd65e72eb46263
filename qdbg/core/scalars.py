"""The functions of the formulas on single numbers, in plain Python.

Their source is what an element's computation is copied with, so each stands alone.
"""

from __future__ import annotations

import math
from ctypes import c_float
from fractions import Fraction


def f32(x: float) -> float:
    """Round to float32, half to even."""
    return c_float(x).value


def rne(x: float) -> float:
    """Round to the nearest integer, half to even."""
    return round(x) if math.isfinite(x) else x


def rne32(x: float) -> int:
    """The same as an instruction does it: what int32 does not hold gives -2**31."""
    inside = -(2**31) <= x < 2**31
    return round(x) if inside and round(x) < 2**31 else -(2**31)


def sat16(x: float) -> float:
    """Keep it within int16."""
    return min(max(x, -(2**15)), 2**15 - 1)


def sat32(x: float) -> float:
    """Keep it within int32."""
    return min(max(x, -(2**31)), 2**31 - 1)


def wrap32(x: int) -> int:
    """Keep the lowest 32 bits, as an int32 register does."""
    return (x + 2**31) % 2**32 - 2**31


def fma32(x: float, y: float, z: float) -> float:
    """x * y + z, rounded once to float32."""
    if not all(map(math.isfinite, (x, y, z))):
        return c_float(x * y + z).value
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    near = float(exact)
    if Fraction(near) != exact and Fraction(near) / Fraction(math.ulp(near)) % 2 == 0:
        near = math.nextafter(near, math.inf if exact > near else -math.inf)
    return c_float(near).value
