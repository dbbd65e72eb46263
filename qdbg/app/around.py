"""The panels around the table: how the values lie, and the element's way through its layer."""

from __future__ import annotations

from textual.content import Content

from qdbg.app.widgets import Part, join
from qdbg.engine.filled import number
from qdbg.engine.passage import passage
from qdbg.engine.spread import Spread, spread
from qdbg.engine.step import Step
from qdbg.engine.summary import extremes
from qdbg.engine.table import NOTHING, signed

BLOCKS = " ▁▂▃▄▅▆▇█"
EIGHTHS = 8
STAGE, SYMBOL, VALUE = 13, 6, 12
"""How wide the columns of the way are."""


def way_lines(step: Step, element: int, rows: int) -> Content:
    """A line for each stage with the element's value; the last one beside PyTorch's."""
    points = passage(step, element)
    if not points:
        words = "not simulated" if step.stage is None else "an input of the layer"
        return join((words, "$secondary"))
    at = next((i for i, point in enumerate(points) if point.here), 0)
    first = min(max(0, at - rows + 2), max(0, len(points) - rows))
    parts: list[Part] = []
    for point in points[first : first + rows]:
        style = "bold" if point.here else "$secondary"
        parts += [
            ("▶ " if point.here else "  ", "$warning"),
            (f"{point.stage:<{STAGE}}{point.symbol:<{SYMBOL}}", style),
            (f"{point.value:>{VALUE}}", "bold" if point.here else ""),
            *(_beside(step, element) if point.here else ()),
            "\n",
        ]
    return join(*parts)


def _beside(step: Step, element: int) -> list[Part]:
    """What PyTorch has for the stage under the cursor."""
    if step.captured is None or step.delta is None:
        return [(f"  {NOTHING} derived", "$secondary")]
    index = step.index_of(element)
    found = step.delta[index]
    if not found:
        return [("  ✓ equal", "bold $success")]
    theirs = number(step.captured[index])
    return [(f"  ≠ {theirs} Δ {signed(found)}", "bold $warning")]


def spread_lines(step: Step, width: int, rows: int) -> Content:
    """A histogram over all of the width, its ends and its zero named below."""
    found = spread(step, max(8, width))
    if found is None:
        return join(("values  ", "$secondary"), extremes(step))
    top = max(found.counts)
    parts: list[Part] = []
    for row in range(rows - 2, -1, -1):
        line = "".join(_block(count, top, row, rows - 1) for count in found.counts)
        parts += [(line, "$primary"), "\n"]
    return join(*parts, *_axis(found, width))


def _block(count: int, top: int, row: int, rows: int) -> str:
    """The part of a bin's bar that lies in this row, counted from below."""
    eighths = -(-count * rows * EIGHTHS // top) - row * EIGHTHS
    return BLOCKS[min(max(eighths, 0), EIGHTHS)]


def _axis(found: Spread, width: int) -> list[Part]:
    low = f"{found.low} ×{found.at_low}" if found.at_low else found.low
    high = f"{found.high} ×{found.at_high}" if found.at_high else found.high
    room = width - len(low) - len(high)
    zero = "" if found.zero_bin is None else f"│ {found.zero}"
    at = 0 if found.zero_bin is None else found.zero_bin - len(low)
    if not 0 < at <= room - len(zero) - 1:
        zero = ""
    middle = f"{' ' * max(0, at)}{zero}" if zero else ""
    return [
        (low, "bold $warning" if found.at_low else "$secondary"),
        (f"{middle:<{max(1, room)}}", "$secondary"),
        (high, "bold $warning" if found.at_high else "$secondary"),
    ]
