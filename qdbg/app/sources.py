"""What the grids show: the steps, the elements of a step, the terms behind one element."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from qdbg.app.grid import GAP, Bar, GridColumn, GridRow
from qdbg.app.widgets import tail
from qdbg.core.op import NotSimulated
from qdbg.core.program import Layer
from qdbg.core.quantity import Array
from qdbg.core.weights import rows_of
from qdbg.core.words import counted
from qdbg.engine.browse import axes_of
from qdbg.engine.reading import PLAIN, Reading
from qdbg.engine.step import Step
from qdbg.engine.table import NOTHING, Measure, Table
from qdbg.engine.trace import Trace
from qdbg.ops import registry
from qdbg.ops.recurrent import result_of

PART = re.compile(r"[ih]h(?:_l\d+(?:_reverse)?)?(?:#\d+)?")
"""The linear parts of a recurrent layer are called as torch calls their weights: `ih_l0`; of each
further step of the sequence: `hh_l0#2`."""
ROOMY, WITH_SCALES = 110, 80
"""From these widths on the list of layers shows every column, or at least the weights' scales."""
LEAST_NAME, AROUND = 10, 9
"""The least room of a layer's name, and what frame, marks and gap take of a line."""
DYNAMIC = " (dynamic)"
"""Of the titles of parts, which all are so, it is left out: the list of steps is narrow."""
CHANGED = "*"
"""The mark of a value that is another one since numbers of the run were changed."""
LONGEST = 16
"""Of a longer path to a layer the list of calls shows the end."""
MARKS = {"equal": "✓", "differs": "≠", "not simulated": "○"}
"""The mark of a call, by its status."""


def layer_title(trace: Trace, call: int) -> str:
    """`fc1  Linear 4→16`."""
    node, layer = trace.nodes[call], trace.layer(call)
    op = registry().get(node.op)
    title = op.title if op is not None else node.op
    if part := PART.fullmatch(node.name.rpartition(":")[2]):
        return f"{part[0]} {title.removesuffix(DYNAMIC)}"
    title = f"{result_of(node)}{title}"
    return f"{title} {sizes}" if layer is not None and (sizes := layer.sizes) else title


class StepTable:
    """The elements of a step, or of one of its channels or pixels."""

    def __init__(self, trace: Trace, step: Step, reading: Reading = PLAIN) -> None:
        self.trace = trace
        self.table = Table(step, reading)
        self.axes = axes_of(step)
        self._along, self._first = self.axes.all, 0
        self._kept: Array | None = None
        first = GridColumn(self.table.letters, self.table.index_width)
        rest = (GridColumn(c.title, c.width, c.operand) for c in self.table.columns)
        self.columns = (first, *rest, *_bars(self.table.measure))

    def __len__(self) -> int:
        """The number of elements."""
        return self.axes.size(self._along) if self._kept is None else len(self._kept)

    def filtered(self, kept: Array | None) -> StepTable:
        """The table of these elements alone, flat indices in order; None: of all."""
        if kept is self._kept:
            return self
        found = copy(self)
        found._kept = kept
        return found

    def part(self, view: str, element: int) -> StepTable:
        """The table of those elements that the view shows together with this one."""
        along = self.axes.seen(view)
        first = self.axes.at(along, element, 0)
        if (along, first) == (self._along, self._first):
            return self
        found = copy(self)
        found._along, found._first = along, first
        return found

    def row_of(self, element: int) -> int:
        """Which row the element has; where a filter hides it, the row of the next one."""
        if self._kept is not None:
            return max(0, min(int(np.searchsorted(self._kept, element)), len(self._kept) - 1))
        return self.axes.among(self._along, element)

    def element(self, row: int) -> int:
        """The element of the row."""
        if self._kept is not None:
            return int(self._kept[row])
        return self.axes.at(self._along, self._first, row)

    def shows(self, trace: Trace, step: Step) -> bool:
        """Whether this is the step's own table."""
        return self.trace is trace and self.table.step.index == step.index

    def row(self, index: int) -> GridRow:
        """One element."""
        element = self.element(index)
        row = self.table.row(element)
        mark = CHANGED if row.changed else "≠" if row.differs else " "
        role = "differs" if row.differs or row.changed else "cut" if row.side else "plain"
        cells = (self.table.position(element), *row.cells)
        return GridRow(cells, mark, row.side, role, row.share)


def _bars(measure: Measure | None) -> tuple[GridColumn, ...]:
    """A column without a width of its own: it takes what the others leave."""
    if measure is None:
        return ()
    reach = f"{measure.reach:.4g}"
    high = f"+{reach}" if measure.signed else f"{measure.name} {reach}"
    return (GridColumn(measure.name, 0, bar=Bar(f"-{reach}", high, measure.signed)),)


@dataclass(frozen=True, slots=True)
class RailLine:
    """A line of the step list: a call, or one of its stages."""

    call: int
    step: int | None


class Rail:
    """Every call with its stages, and how each fares."""

    columns = (GridColumn("", 60, left=True),)

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.lines: list[RailLine] = []
        for call, first in enumerate(trace.first_steps[:-1]):
            self.lines.append(RailLine(call, None))
            steps = range(first, trace.first_steps[call + 1])
            self.lines += [RailLine(call, step) for step in steps]

    def __len__(self) -> int:
        """Calls and stages together."""
        return len(self.lines)

    def line_of(self, step: int) -> int:
        """The line that shows the step."""
        return step + self.trace.call_of(step) + 1

    def row(self, index: int) -> GridRow:
        """One line."""
        line = self.lines[index]
        status = self.trace.comparisons[line.call].status
        if line.step is None:
            node = self.trace.nodes[line.call]
            name = tail(node.layer or node.name, LONGEST)
            text = f"{name}  {layer_title(self.trace, line.call)}"
            mine = line.call in self.trace.golden_differences
            role = "differs" if status == "differs" or mine else "plain"
            text = f"{text} ≠g" if mine else text
            count = self.trace.changed[line.call]
            text = f"{text} {CHANGED}{count}" if count else text
            role = "differs" if count else role
            return GridRow((text,), MARKS[status], "", role)
        name = self.trace.stage_names[line.call][line.step - self.trace.first_steps[line.call]]
        last = line.step == self.trace.first_steps[line.call + 1] - 1
        mark = MARKS[status] if last else NOTHING
        role = "differs" if last and status == "differs" else "muted"
        return GridRow((f"  {mark} {name}",), " ", "", role)


class LayerTable:
    """The layers of a file: what is known before anything runs. Columns that would be empty, as
    for dynamic layers alone, leave their room to the others."""

    def __init__(self, layers: Sequence[Layer], width: int = 120) -> None:
        self.layers = layers
        self.roomy = width >= ROOMY
        self._results = any(layer.output is not None for layer in layers)
        rows = [self._numbers(layer) for layer in layers]
        results = (
            GridColumn("scale", _widest("scale", rows, 2)),
            GridColumn("zero point", _widest("zero point", rows, 3)),
        )
        rest = (
            GridColumn("weight", _widest("weight", rows, 0), left=True),
            GridColumn("weight scales", _widest("weight scales", rows, 1), True, left=True),
            *(results if self._results else ()),
            GridColumn("class", 16, True, left=True),
        )
        room = width - AROUND - sum(column.width + GAP for column in rest if not column.optional)
        room -= rest[1].width + GAP if width >= WITH_SCALES or not self._results else 0
        longest = max((len(layer.path) for layer in layers), default=0)
        self.names = max(LEAST_NAME, min(longest, room))
        self.columns = (GridColumn("layer", self.names, left=True), *rest)

    def __len__(self) -> int:
        """The number of layers."""
        return len(self.layers)

    def row(self, index: int) -> GridRow:
        """One layer."""
        layer = self.layers[index]
        name = tail(layer.path or "(model)", self.names)
        numbers = self._numbers(layer)
        shown = numbers if self._results else numbers[:2]
        return GridRow((name, *shown, layer.kind or NOTHING))

    def _numbers(self, layer: Layer) -> tuple[str, str, str, str]:
        """Its weight's type and shape, the weight's scales, and the result's scale and zero
        point."""
        output = layer.output
        digits = 9 if self.roomy else 7
        scale = f"{float(output.scale):.{digits}g}" if output is not None else NOTHING
        zero_point = str(int(output.zero_point)) if output is not None else NOTHING
        weight, scales = _weight(layer)
        if not self.roomy:
            scales = scales.rpartition(": ")[2].replace(" … ", "…")
        return weight, scales, scale, zero_point


def _widest(title: str, rows: Sequence[tuple[str, ...]], place: int) -> int:
    return max(len(title), *(len(row[place]) for row in rows), 0)


def _weight(layer: Layer) -> tuple[str, str]:
    if layer.weight is None:
        table = rows_of(layer)
        if table is None:
            return NOTHING, NOTHING
        rows, columns = table.shape
        ends = f"{table.scale.min():.4g} … {table.scale.max():.4g}"
        return f"uint{table.bits} {rows}×{columns}", f"{counted(rows, 'row')}: {ends}"
    shape = "×".join(str(n) for n in layer.weight.q.shape)
    scale = layer.weight.qparams.scale
    if not layer.weight.qparams.per_channel:
        return f"int8 {shape}", f"{float(scale):.4g}"
    return (
        f"int8 {shape}",
        f"{counted(scale.size, 'channel')}: {scale.min():.4g} … {scale.max():.4g}",
    )


def unsimulated(trace: Trace, call: int) -> str | None:
    """Why a call is not simulated."""
    made = trace.simulation(call)
    return str(made) if isinstance(made, NotSimulated) else None
