"""How the values of a step lie between their ends: the bars of a histogram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qdbg.core.quantity import Array
from qdbg.engine.filled import number
from qdbg.engine.step import Step
from qdbg.engine.summary import value_range

MOST = 65536
"""Values that are counted; counting more would be felt at each key."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Values per bin, and what stands at the ends."""

    counts: tuple[int, ...]
    low: str
    high: str
    at_low: int
    """How many bytes are qmin itself; 0 for values that are no bytes."""
    at_high: int
    zero_bin: int | None
    """The bin of the zero point, or of 0; None where it lies outside."""
    zero: str
    """`zero point 128`, or `0`."""


def spread(step: Step, bins: int) -> Spread | None:
    """The distribution over `bins` bins; None where there are no values, or too many."""
    found = value_range(step, bins)
    if found is not None and step.size:
        return Spread(
            found.counts,
            str(found.qmin),
            str(found.qmax),
            found.at_qmin,
            found.at_qmax,
            found.zero_bin,
            f"zero point {found.zero_point}",
        )
    values = step.shown
    if values is None or not 0 < values.size <= MOST or step.extremes is None:
        return None
    return _between(values, step.extremes, bins)


def _between(values: Array, ends: tuple[Any, Any], bins: int) -> Spread | None:
    low, high = float(np.float64(ends[0])), float(np.float64(ends[1]))
    if not np.isfinite([low, high]).all() or low == high:
        return None
    counts, _ = np.histogram(values.astype(np.float64), bins, (low, high))
    zero = int(-low / (high - low) * bins) if low <= 0 <= high else None
    return Spread(
        tuple(int(n) for n in counts),
        number(ends[0]),
        number(ends[1]),
        0,
        0,
        None if zero is None else min(zero, bins - 1),
        "0",
    )
