"""Roundings and narrowings that PyTorch's kernels do not use and other models of them do."""

from __future__ import annotations

import numpy as np

from qdbg.core import ties
from qdbg.core.arithmetic import f64
from qdbg.core.quantity import Array


def half_away(x: Array) -> Array:
    """To the nearest integer; a tie goes away from zero, as C's round does."""
    wide = f64(x)
    ties.rounding(wide)
    return np.asarray(np.where(np.abs(wide % 1) == 0.5, wide + np.sign(wide) * 0.5, np.rint(wide)))  # noqa: PLR2004 - a tie


def half_up(x: Array) -> Array:
    """To the nearest integer; a tie goes up, as floor(x + 0.5) does."""
    wide = f64(x)
    ties.rounding(wide)
    return np.asarray(np.where(wide % 1 == 0.5, wide + 0.5, np.rint(wide)))  # noqa: PLR2004 - a tie


def toward_zero(x: Array) -> Array:
    """Drop the fraction, as a cast to an integer does."""
    return np.asarray(np.trunc(f64(x)))


def downward(x: Array) -> Array:
    """The integer below, as a shift to the right does."""
    return np.asarray(np.floor(f64(x)))


def upward(x: Array) -> Array:
    """The integer above."""
    return np.asarray(np.ceil(f64(x)))


def wrap(x: Array, bits: int) -> Array:
    """Keep the lowest bits as a signed number, as a register of that width does: int64."""
    half = 1 << (bits - 1)
    return np.asarray((np.asarray(x, dtype=np.int64) + half) % (1 << bits) - half)


def wrap_byte(x: Array) -> Array:
    """Keep the lowest 8 bits as an unsigned number: int64."""
    return np.asarray(np.asarray(x, dtype=np.int64) % 256)


def significant(x: Array, bits: int) -> Array:
    """Positive numbers rounded to that many significant binary digits: float64."""
    mantissa, exponent = np.frexp(f64(x))
    return np.asarray(np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits))


def decimals(x: Array, places: int) -> Array:
    """Rounded to so many decimals, as numbers are printed: float64."""
    return np.asarray(np.round(f64(x), places))
