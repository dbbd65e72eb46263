"""Ties: values exactly half-way between two integers when a kernel rounds them.

The rounding primitives report what they round, and only while somebody asks: no stage has to
say where it rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

import numpy as np

from qdbg.core.quantity import Array

HALF = 0.5

_SEEN: ContextVar[list[Array] | None] = ContextVar("ties", default=None)


def rounding(x: Array) -> None:
    """Report floating numbers that are about to be rounded to integers."""
    seen = _SEEN.get()
    if seen is not None:
        with np.errstate(invalid="ignore"):
            seen.append(np.asarray(np.asarray(x) % 1 == HALF))


def shifting(x: Array, places: int) -> None:
    """Report integers that are about to be divided by 2^places and rounded."""
    seen = _SEEN.get()
    if seen is not None:
        half = 1 << places >> 1
        seen.append(np.asarray((np.abs(x) & ((1 << places) - 1)) == half) & bool(half))


def ties_in(compute: Callable[[], Array]) -> Array | None:
    """bool in the shape of what `compute` gives: where it rounded a value that lay half-way.

    None where it rounds nothing element by element.
    """
    seen: list[Array] = []
    token = _SEEN.set(seen)
    try:
        shape = np.shape(compute())
    finally:
        _SEEN.reset(token)
    found = [ties for ties in seen if ties.shape == shape]
    return np.logical_or.reduce(found) if found else None
