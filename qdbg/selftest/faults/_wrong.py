"""Wrong versions of primitives that several families share."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, rne32
from qdbg.core.quantity import Array


def two_roundings(x: Array, y: Array | float, z: Array | float) -> Array:
    """x·y + z, rounded after each operation."""
    return f32(f64(f32(f64(x) * f64(y))) + f64(z))


def product_64(x: Array, y: Array) -> Array:
    """x·y without rounding to float32."""
    return np.asarray(f64(x) * f64(y))


def half_away(x: Array) -> Array:
    """Round half away from zero, keeping the type."""
    wide = f64(x)
    rounded = np.sign(wide) * np.floor(np.abs(wide) + 0.5)
    return np.asarray(rounded.astype(np.asarray(x).dtype))


def downward_32(x: Array) -> Array:
    """Always to the integer below, as int32."""
    return rne32(np.floor(x))


def half_away_32(x: Array) -> Array:
    """Round half away from zero, to int32."""
    return np.asarray(half_away(f64(x)).astype(np.int64).astype(np.int32))


def downward(x: Array) -> Array:
    """Round downwards, keeping the type."""
    return np.asarray(np.floor(x))
