"""Compare simulated with captured values: never a tolerance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qdbg.core.quantity import Array


def differs(simulated: Array, captured: Array) -> Array:
    """bool: where the two are not the same integer, or not the same float32 bit for bit."""
    if captured.dtype == np.float32:
        return np.asarray(simulated.view(np.int32) != captured.view(np.int32))
    return np.asarray(simulated != captured)


def unlike(one: Array, other: Array) -> Array:
    """bool: where two simulated values are not the same; of other types by their numbers."""
    if one.dtype != other.dtype:
        one, other = one.astype(np.float64), other.astype(np.float64)
    if one.dtype == np.float32:
        return differs(one, other)
    if one.dtype.kind != "f":
        return np.asarray(one != other)
    return np.asarray((one != other) & ~(np.isnan(one) & np.isnan(other)))


def delta(simulated: Array, captured: Array) -> Array:
    """Δ = simulated − captured: int64, or float64 for float32 values."""
    wide = np.float64 if captured.dtype == np.float32 else np.int64
    with np.errstate(invalid="ignore"):  # infinity less infinity
        return np.asarray(simulated.astype(wide) - captured.astype(wide))


def largest(different: Array, deltas: Array) -> int:
    """The flat index of the first of the different elements with the largest |Δ|."""
    sizes = np.abs(deltas.astype(np.float64)).ravel()
    sizes[np.isnan(sizes)] = np.inf
    sizes[~different.ravel()] = -1
    return int(sizes.argmax())


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one call's simulated result compares with the captured one."""

    status: str
    """`equal`, `differs` or `not simulated`."""
    reason: str | None
    """Why it is not simulated."""
    differences: int
    """How many elements differ."""
    elements: int
    max_delta: float
    """The largest |Δ|; 0 where nothing differs."""


def compare(simulated: Array, captured: Array) -> Comparison:
    """Count the differences of one call."""
    same = simulated.__array_interface__ == captured.__array_interface__  # a call that passes on
    count = 0 if same else int(np.count_nonzero(differs(simulated, captured)))
    largest = np.abs(delta(simulated, captured)).max(initial=0) if count else 0
    status = "differs" if count else "equal"
    return Comparison(status, None, count, captured.size, float(largest))
