"""The rows of an embedding's table that an element of its result is made of."""

from __future__ import annotations

import numpy as np

from qdbg.core.quantity import Array
from qdbg.core.stage import Values


def is_table(values: Values) -> bool:
    """Whether the call looks rows up, and has scales and zero points by row."""
    return "row" in values and "w_q" in values


def row_of(values: Values, index: tuple[int, ...]) -> int | None:
    """The row that an element is looked up in; None where a bag adds several up."""
    if "first" in values:
        return None
    return int(np.asarray(values["row"])[index[:-1]])


def gathered(values: Values, symbol: str) -> Array | None:
    """An operand by the rows that the elements of the result are looked up in: its number for
    each element, or [.., 1] where a row has one for all of its columns. None where a bag adds
    several up, and for what is no operand by row."""
    row, array = np.asarray(values["row"]), np.asarray(values[symbol])
    if "first" in values:
        return None
    if symbol == "row":
        return row[..., None]
    if not _is_by_row(values, array):
        return None
    own: Array = array[row]
    return own if array.ndim > 1 else own[..., None]


def in_row(values: Values, symbol: str, index: tuple[int, ...]) -> object:
    """The number of an operand that belongs to an element which one row gives. Raises KeyError
    where several do, and for what is no operand by row."""
    row, array = row_of(values, index), np.asarray(values[symbol])
    if row is None or not _is_by_row(values, array):
        raise KeyError(symbol)
    return array[row, index[-1]] if array.ndim > 1 else array[row]


def _is_by_row(values: Values, array: Array) -> bool:
    return array.shape[:1] == np.asarray(values["w_q"]).shape[:1]


def rows_of(values: Values, index: tuple[int, ...]) -> list[int]:
    """The rows that a bag adds up for the element, in their order."""
    first, last = (int(np.asarray(values[name])[index[0]]) for name in ("first", "last"))
    return [int(row) for row in values["row"][first:last]]
