"""Dumps as .csv: a row per layer, a column per layer, or the numbers of one layer alone."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np

from qdbg.errors import GoldenError
from qdbg.golden.dump import Dump, dump_of

HEADS = ("name", "layer", "call")
"""What may stand above the names of rows."""


def table_dumps(text: str, path: Path, known: Callable[[str], bool]) -> Iterator[Dump]:
    """The layers of a table. Raises GoldenError for cells that are no numbers."""
    rows = _rows(text, path)
    if not rows:
        raise GoldenError(f"{path} is empty", expected="a row per layer: its name and its numbers")
    numeric = all(_is_number(cell) for row in rows for cell in row)
    if numeric and (known(path.stem) or not all(known(row[0]) for row in rows)):
        yield _whole(rows, path)
    elif not numeric and len(rows) > 1 and _names(rows[0]) and _is_number(rows[1][0] or "0"):
        yield from _columns(rows, path)
    else:
        header = (_names(rows[0]) and len(rows) > 1) or rows[0][0].lower() in HEADS
        named = rows[1:] if header and not known(rows[0][0]) else rows
        for row in named:
            yield _dump(row[0], row[1:], path)


def _rows(text: str, path: Path) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    mark = next((m for m in ("\t", ";", ",") if lines and m in lines[0]), " ")
    try:
        rows = list(csv.reader(lines, delimiter=mark, skipinitialspace=True))
    except csv.Error as error:
        raise GoldenError(f"{path} cannot be read: {error}") from error
    return [cells for row in rows if (cells := _filled([cell.strip() for cell in row]))]


def _filled(cells: list[str]) -> list[str]:
    """Without the empty cells at the end, which belong to longer rows."""
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def _whole(rows: list[list[str]], path: Path) -> Dump:
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        found = f"{path} has rows of {lengths[0]} and {lengths[1]} numbers"
        raise GoldenError(found, expected="rows of one length")
    array = np.array([[float(cell) for cell in row] for row in rows])
    return dump_of(path.stem, str(path), array, by_stem=True)


def _columns(rows: list[list[str]], path: Path) -> Iterator[Dump]:
    names, *table = rows
    for name, cells in zip_longest(names, zip_longest(*table, fillvalue=""), fillvalue=()):
        yield _dump(str(name or ""), list(cells), path)


def _dump(name: str, cells: list[str], path: Path) -> Dump:
    cells = _filled(cells)
    where = f"{path}: {name}"
    for number, cell in enumerate(cells, start=1):
        if not _is_number(cell):
            raise GoldenError(f"{where}: cell {number} is {cell[:40]!r}", expected="a number")
    if not cells:
        raise GoldenError(f"{where} has no numbers", expected="a name and its numbers")
    return dump_of(name, where, np.array([float(cell) for cell in cells]))


def _names(row: list[str]) -> bool:
    return not any(_is_number(cell) for cell in row)


def _is_number(cell: str) -> bool:
    try:
        math.isfinite(float(cell))
    except ValueError:
        return False
    return True
