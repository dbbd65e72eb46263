"""The picture of an element's window in the input, and the words around it."""

from __future__ import annotations

from textual.content import Content

from qdbg.app.widgets import Part, join
from qdbg.engine.sight import SHADES, Cell, Sight

CELL = 5
"""How wide a position is: a byte or a weight, and its mark."""
LABEL = 6
"""How wide the numbers of the rows are."""
GAP = 3
PADDING = "░░░"
"""A position beyond the input."""
NO_PLACE = "-"
"""A row or column between two of the input's, as a transposed convolution has them."""


def sight_title(sight: Sight) -> str:
    """`window in the 12×14 input   channel 1 of 0…2`."""
    size = "×".join(str(n) for n in sight.size)
    names = f"channel {sight.channel}"
    if len(sight.channels) > 1:
        names += f" of {sight.channels[0]}…{sight.channels[-1]}"
    if sight.depth is not None:
        names += f"   depth {sight.depth}"
    return f"window in the {size} input   {names}"


def sight_hint(sight: Sight) -> str:
    """What the padding stands for, and the keys that lead to the other channels."""
    words = []
    if sight.padded:
        words.append(f"{PADDING} {sight.outside}, zero point {sight.zero_point}")
    if sight.planes > 1:
        words.append(", . other channels")
    return "   ".join(words)


def sight_panel(sight: Sight, width: int) -> Content:
    """The inputs, and beside them the weights where there is room for both."""
    across = len(sight.columns) * CELL
    weights = width >= LABEL + 2 * across + GAP
    head = "".join(_place(column).rjust(CELL - 1) + " " for column in sight.columns)
    parts: list[Part] = [(f"{'x_q':<{LABEL}}{head}", "$secondary")]
    if weights:
        parts.append((f"{'':{GAP}}{'w_q':>{CELL - 1}}", "$secondary"))
    for row, cells in zip(sight.rows, sight.cells, strict=True):
        parts.append((f"\n{_place(row):>{LABEL - 2}}  ", "$secondary"))
        parts += [part for cell in cells for part in _input(cell)]
        if weights:
            parts.append(" " * GAP)
            parts += [(f"{cell.w:>{CELL - 1}} ", _style(cell)) for cell in cells]
    return join(*parts)


def _place(place: int | None) -> str:
    return NO_PLACE if place is None else str(place)


def _input(cell: Cell) -> list[Part]:
    mark = "↑" if cell.excess > 0 else "↓" if cell.excess else " "
    if cell.x is None:
        return [(f" {PADDING}", "$secondary"), (mark, "bold $warning")]
    shade = f"on $primary {cell.shade * 60 // SHADES}%"
    return [(f"{cell.x:>{CELL - 1}}", f"bold {shade}"), (mark, f"bold $warning {shade}")]


def _style(cell: Cell) -> str:
    return "bold $warning" if cell.excess else ""
