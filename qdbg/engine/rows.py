"""The rows of an embedding's table that an element of its result is made of."""

from __future__ import annotations

import numpy as np

from qdbg.core.stage import Values


def is_table(values: Values) -> bool:
    """Whether the call looks rows up, and has scales and zero points by row."""
    return "row" in values and "w_q" in values


def row_of(values: Values, index: tuple[int, ...]) -> int | None:
    """The row that an element is looked up in; None where a bag adds several up."""
    if "first" in values:
        return None
    return int(np.asarray(values["row"])[index[:-1]])


def rows_of(values: Values, index: tuple[int, ...]) -> list[int]:
    """The rows that a bag adds up for the element, in their order."""
    first, last = (int(np.asarray(values[name])[index[0]]) for name in ("first", "last"))
    return [int(row) for row in values["row"][first:last]]
