"""The primitives of the kernels' arithmetic, each written once.

Nothing else in qdbg rounds, saturates, wraps or narrows: the ops call these functions by the
names that the formulas on the screen use.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.core import ties
from qdbg.core.quantity import Array

INT16 = (-(2**15), 2**15 - 1)
INT32 = (-(2**31), 2**31 - 1)
WORD = 4
"""Bytes of an int32."""
BYTE = 255
TIE, BELOW_TIE = 1 << 28, (1 << 29) - 1
"""The last 29 bits of a float64 are those that a float32 has not; this pattern lies half-way."""
NORMAL32 = 2.0**-126
"""Smaller float32 numbers have fewer bits."""


def f32(x: Array | float) -> Array:
    """Round to float32, half to even. A float64 operation on float32 operands, then this, is one
    float32 operation: +, −, ·, / and their double rounding agree (53 ≥ 2·24 + 2 bits)."""
    given = np.asarray(x)
    if given.dtype == np.float32:
        return given
    if given.dtype.kind in "iu":
        wide = given.astype(np.float64) if given.dtype.itemsize > WORD else given
        return wide.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        return given.astype(np.float32)


def mul32(x: Array, y: Array) -> Array:
    """f32(x·y), without a float64 in between where both are float32: one float32 operation."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if x.dtype == y.dtype == np.float32:
            return np.asarray(x * y)
        return f32(f64(x) * f64(y))


def add32(x: Array, y: Array) -> Array:
    """f32(x + y), without a float64 in between where both are float32: one float32 operation."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if x.dtype == y.dtype == np.float32:
            return np.asarray(x + y)
        return f32(f64(x) + f64(y))


def div32(x: Array, y: Array) -> Array:
    """f32(x / y), without a float64 in between where both are float32: one float32 operation."""
    with np.errstate(all="ignore"):
        if x.dtype == y.dtype == np.float32:
            return np.asarray(x / y)
        return f32(f64(x) / f64(y))


def f16(x: Array) -> Array:
    """Round float32 to the 16-bit format, half to even."""
    with np.errstate(over="ignore"):
        return np.asarray(x, dtype=np.float32).astype(np.float16)


def f64(x: Array | float) -> Array:
    """Widen to float64: exact for int32 and float32."""
    return np.asarray(x, dtype=np.float64)


def exp32(x: Array) -> Array:
    """eˣ, rounded once to float32."""
    with np.errstate(over="ignore", under="ignore"):
        return f32(np.exp(f64(x)))


def expm1_32(x: Array) -> Array:
    """eˣ − 1, rounded once to float32."""
    with np.errstate(over="ignore", under="ignore"):
        return f32(np.expm1(f64(x)))


def tanh32(x: Array) -> Array:
    """The hyperbolic tangent, rounded once to float32."""
    return f32(np.tanh(f64(x)))


def neighbours(x: Array) -> tuple[Array, Array]:
    """The next float32 values below and above: a function that is right to one unit in the last
    place gives x or one of these."""
    near = np.asarray(x, np.float32)
    return np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))


def rne(x: Array) -> Array:
    """Round to the nearest integer, half to even, keeping the floating type."""
    ties.rounding(x)
    rounded: Array = np.rint(x)
    return rounded


def rne32(x: Array) -> Array:
    """Round half to even to int32 as x86's cvtps2dq does: NaN and |x| ≥ 2³¹ give −2³¹."""
    ties.rounding(x)
    rounded = np.rint(x if np.asarray(x).dtype == np.float32 else f64(x))
    if rounded.size and INT32[0] <= rounded.min() and rounded.max() < -INT32[0]:
        return np.asarray(rounded.astype(np.int32))  # nor is one of them NaN
    wide = f64(rounded)
    inside = (wide >= INT32[0]) & (wide <= INT32[1])
    return np.where(inside, wide, INT32[0]).astype(np.int64).astype(np.int32)


def saturate(x: Array, low: float, high: float) -> Array:
    """min(max(x, low), high), keeping the type; NaN goes to the low end, as maxps(low, x) does."""
    given = np.asarray(x)
    if given.dtype.kind == "f" and np.isnan(given.min(initial=0)):
        return np.asarray(np.minimum(np.fmax(x, low), high))
    return np.asarray(np.clip(x, low, high))


def not_above(x: Array, high: np.float32) -> Array:
    """x where it is below `high`, else `high`: also where x is not a number."""
    if x.max(initial=0) < high:
        return x
    return np.where(x < high, x, high)


def sum16(x: Array, y: Array) -> Array:
    """sat16(sat16(x) + y) for one small integer y, in int32: x is bounded so that the sum fits."""
    low, high = INT16
    step = int(y)
    return np.asarray(saturate(x, low - min(step, 0), high - max(step, 0)) + np.int32(step))


def at_least(x: Array, low: Array) -> Array:
    """max(x, low) on integers."""
    raised: Array = np.maximum(x, low)
    return raised


def sat16(x: Array) -> Array:
    """Saturate to int16, kept in int32."""
    return saturate(x, *INT16)


def sat32(x: Array) -> Array:
    """Saturate to int32; NaN gives −2³¹."""
    return saturate(f64(x), *INT32).astype(np.int64).astype(np.int32)


def wrap32(x: Array) -> Array:
    """Keep the lowest 32 bits, as an int32 register does."""
    given = np.asarray(x)
    if given.dtype == np.int32:
        return given
    return np.asarray(given, dtype=np.int64).astype(np.int32)


def wrapped_sum(x: Array, y: Array) -> Array:
    """wrap32(x + y) of integers below 2⁶³: int32 registers lose nothing that wrap32 keeps."""
    with np.errstate(over="ignore"):
        return np.asarray(wrap32(x) + wrap32(y))


def i32(x: Array) -> Array:
    """Widen integers to int32: exact for uint8 and int8."""
    return np.asarray(x).astype(np.int32, copy=False)


def centred(x: Array, zero_point: Array) -> Array:
    """x − zero_point: int16 for bytes, whose differences from −255 to 255 it holds."""
    if not zero_point:
        return x
    if x.dtype.itemsize == 1 and abs(int(zero_point)) <= BYTE:
        return np.subtract(x, np.int16(zero_point), dtype=np.int16)
    return i32(x) - i32(zero_point)


def i64(x: Array) -> Array:
    """As int64: exact for integers, and for floating numbers that are integers below 2⁶³."""
    return np.asarray(x).astype(np.int64)


def exponent(x: Array) -> Array:
    """floor(log2(x)) of positive numbers."""
    return np.asarray(np.frexp(f64(x))[1] - 1)


def odd_part(x: Array) -> float:
    """A positive number over the largest power of two that leaves it an integer: 1 for 0.25, 3 for
    0.75."""
    mantissa = int(np.ldexp(np.frexp(f64(x))[0], 53))
    return float(mantissa // (mantissa & -mantissa)) if mantissa else 1.0


def shift_half_away(x: Array, places: int) -> Array:
    """x / 2^places on integers, rounded to the nearest; a tie goes away from zero."""
    wide = np.asarray(x, dtype=np.int64)
    ties.shifting(wide, places)
    size = (np.abs(wide) + (1 << places >> 1)) >> places
    return np.asarray((np.sign(wide) * size).astype(np.int32))


def shift_half_up(x: Array, places: int) -> Array:
    """x / 2^places on integers, rounded to the nearest; a tie goes up."""
    wide = np.asarray(x, dtype=np.int64)
    ties.shifting(wide, places)
    return np.asarray((wide + (1 << places >> 1) >> places).astype(np.int32))


def fma32(x: Array, y: Array | float, z: Array | float) -> Array:
    """x·y + z in float32 with a single rounding.

    The product of two float32 values is exact in float64. Rounding its sum with z there and then
    to float32 gives what one rounding gives, unless the float64 sum lies half-way between two
    float32 values: only that can hide on which side the exact sum lies.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        product, addend = f64(x) * f64(y), f64(z)
        total: Array = np.asarray(product + addend)
        made = f32(total)
    doubtful = (total.view(np.int64) & BELOW_TIE) == TIE
    doubtful |= (np.abs(total) < NORMAL32) & (total != 0)  # a sum is 0 only where it is exact
    if doubtful.any():
        parts = np.broadcast_arrays(product, addend, total)
        made[doubtful] = f32(_rounded_to_odd(*(each[doubtful] for each in parts)))
    return made


def _rounded_to_odd(product: Array, addend: Array, total: Array) -> Array:
    """The float64 sum, the inexact neighbour with an odd last bit: rounding it once more to float32
    gives what one rounding gives (Boldo and Melquiond, 2008)."""
    with np.errstate(over="ignore", invalid="ignore"):
        back = total - product
        lost = (product - (total - back)) + (addend - back)
        if not lost.any():
            return total
        even: Array = (total.view(np.int64) & 1) == 0
        nudge = np.isfinite(total) & np.isfinite(lost) & (lost != 0) & even
        toward = np.where(lost > 0, np.inf, -np.inf)
        return np.where(nudge, np.nextafter(total, toward), total)


def for_each_byte(function: Callable[[Array], Array], x: Array) -> Array:
    """function(x), found once for each of the 256 integers where x has a byte: a look-up."""
    if x.dtype.itemsize > 1 or x.size <= BYTE:
        return function(x)
    every = np.arange(BYTE + 1, dtype=np.uint8)
    found: Array = np.take(function(every.view(x.dtype)), x.view(np.uint8))
    return found


def cut_sides(above: Array, below: Array) -> Array:
    """int8: 1 where a value was cut off from above, −1 from below, 2 from both sides, else 0."""
    sides: Array = np.where(above & below, 2, above.astype(np.int8) - below.astype(np.int8))
    return sides.astype(np.int8)
