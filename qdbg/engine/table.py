"""A step as a table: one row per element, its operands, what was simulated and captured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qdbg.core.once import cached_property
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage
from qdbg.engine.belonging import of_each
from qdbg.engine.browse import axes_of
from qdbg.engine.compare import delta
from qdbg.engine.filled import element_of, number
from qdbg.engine.reading import BOTH, PLAIN, WORD, Reading, bits_of, real_of
from qdbg.engine.rows import is_table
from qdbg.engine.step import Step

NOTHING = "·"
"""Stands where PyTorch exposes no value, or where nothing is simulated."""

SIDES = {0: "", 1: "↑", -1: "↓", 2: "↕"}
"""Which side a value was cut off, by the codes of `arithmetic.cut_sides`."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column and where its numbers come from."""

    title: str
    values: Array | None
    """Indexed as the elements are; None for a column without any value."""
    width: int
    operand: bool
    """An operand may be left out where the screen is narrow."""


@dataclass(frozen=True, slots=True)
class Row:
    """One element."""

    cells: tuple[str, ...]
    """One text per column."""
    differs: bool
    side: str
    """`↑` or `↓` where the value was cut off."""
    changed: bool = False
    """The value is another one than before numbers of the run were changed."""
    share: float = 0.0
    """Of the table's measure, from -1 to 1: how long its bar is, and to which side."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What the bars show, and which value has the longest one."""

    name: str
    values: Array
    signed: bool
    """Whether any is below zero."""
    reach: float
    """The largest absolute value."""


class Table:
    """The rows of a step, made one at a time when they are drawn."""

    def __init__(self, step: Step, reading: Reading = PLAIN) -> None:
        self.step = step
        self.reading = reading
        self._letters = _letters(step)

    def __len__(self) -> int:
        """The number of elements."""
        return self.step.size

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """What is known of each element."""
        found = _columns(self.step)
        if self.reading == PLAIN:
            return tuple(found)
        return tuple(read for column in found for read in _read(self.step, column, self.reading))

    @cached_property
    def has(self) -> dict[str, bool]:
        """Whether there is anything that can be read otherwise: integers in another `base`, the
        real `values` that they stand for."""
        numbers = [
            (column.title, column.values)
            for column in _columns(self.step)
            if column.values is not None and not column.title.startswith("Δ")
        ]
        return {
            "base": any(values.dtype.kind in "iu" for _, values in numbers),
            "values": any(real_of(self.step, *number) is not None for number in numbers),
        }

    @property
    def letters(self) -> str:
        """What the first column counts: `c`, or `n,c` for more than one row."""
        return ",".join(self._letters)

    @property
    def index_width(self) -> int:
        """How wide the widest position is."""
        last = self.position(max(0, len(self) - 1))
        return max(len(last), len(self.letters))

    def position(self, element: int) -> str:
        """The element's position as the first column shows it."""
        index = self.step.index_of(element)
        return ",".join(str(i) for i in index[-len(self._letters) :])

    def _cell(self, column: Column, values: Array, index: tuple[int, ...]) -> str:
        if column.title.startswith("Δ"):
            return _cell(values, index, column.title)
        bits = bits_of(self.step, column.title, values) if self.reading != PLAIN else WORD
        return self.reading.text(element_of(values, index), bits)

    def name_of(self, element: int) -> str:
        """`fc1:linear[3]`, or `input 3 of fc1:linear`."""
        step, position = self.step, self.position(element) or "0"
        if step.of_inputs:
            return f"input {position} of {step.node.name}"
        made = step.simulation
        own = made is None or step.shape == made.values[made.stages[-1].output].shape
        return f"{step.node.name if own else step.name}[{position}]"

    def row(self, element: int) -> Row:
        """The element's cells in the order of the columns."""
        index = self.step.index_of(element)
        cells = tuple(
            NOTHING if column.values is None else self._cell(column, column.values, index)
            for column in self.columns
        )
        different, cut = self.step.different, self.step.cut
        differs = different is not None and bool(different[index])
        side = SIDES[int(cut[index])] if cut is not None else ""
        changed = self.step.changed
        return Row(
            cells, differs, side, changed is not None and bool(changed[index]), self._share(index)
        )

    @cached_property
    def measure(self) -> Measure | None:
        """What the bars of the rows show: Δ where anything differs, else the value itself."""
        step = self.step
        values = step.delta if step.differences else step.shown
        if values is None or not values.size or values.dtype.kind not in "iuf":
            return None
        ends = float(np.float64(values.min())), float(np.float64(values.max()))
        reach = max(map(abs, ends))
        if not 0 < reach < np.inf:
            return None
        return Measure("Δ" if step.differences else "value", values, ends[0] < 0, reach)

    def _share(self, index: tuple[int, ...]) -> float:
        measure = self.measure
        return 0.0 if measure is None else float(measure.values[index]) / measure.reach


def _read(step: Step, column: Column, reading: Reading) -> list[Column]:
    """The column as it is read: its integers in the base, their real values, or both."""
    values = column.values
    if values is None or column.title.startswith("Δ"):
        return [column]
    real = None if reading.values == PLAIN.values else real_of(step, column.title, values)
    widest = [values.min(), values.max()] if values.size else []
    bits = bits_of(step, column.title, values)
    width = max(column.width, *(len(reading.text(n, bits)) for n in widest), 0)
    own = Column(column.title, values, width, column.operand)
    if real is None:
        return [own]
    beside = _column(f"real {column.title}", real, operand=column.operand)
    return [own, beside] if reading.values == BOTH else [beside]


def tabulated(table: Table, elements: Iterable[int]) -> str:
    """The rows of these elements below their headings, separated by tabs."""
    lines = ["\t".join((table.letters, *(column.title for column in table.columns)))]
    for element in elements:
        lines.append("\t".join((table.position(element), *table.row(element).cells)))
    return "\n".join(lines) + "\n"


def _cell(values: Array, index: tuple[int, ...], title: str) -> str:
    value = element_of(values, index)
    if title.startswith("Δ"):
        return signed(value)
    return number(value)


def signed(value: object) -> str:
    """A difference with its sign: `+13`, `-2`, `0`."""
    text = number(value)
    return text if text.startswith("-") or text in {"0", "0.0"} else f"+{text}"


def _letters(step: Step) -> tuple[str, ...]:
    """The letters of the axes; where there is one row only, that of the last one."""
    found = axes_of(step).letters or ("i",)
    return found[-1:] if step.rows <= 1 else found


def _columns(step: Step) -> list[Column]:
    found = []
    if step.stage is not None and step.simulation is not None:
        whole = step.stage.whole(step.simulation.values)
        if whole is not None and step.simulated is not None:
            found += [_column("unsaturated", whole), _column("lost", whole - step.simulated)]
        else:
            found += _operands(step, step.stage, is_table(step.simulation.values))
    own = step.stage.output if step.stage is not None else "simulated"
    return [
        *found,
        _column(own, step.simulated, operand=False, least="-255"),
        *([] if step.original is None else [_column("original", step.original, operand=False)]),
        _column("captured", step.captured, operand=False),
        _column("Δ", step.delta, operand=False, least="-255"),
        *_golden(step),
    ]


def _golden(step: Step) -> list[Column]:
    """The user's own integers and how far they are from PyTorch's."""
    if step.golden is None or step.captured is None:
        return []
    change = delta(step.golden, step.captured)
    return [
        _column("golden", step.golden, operand=False),
        _column("Δ golden", change, operand=False, least="-255"),
    ]


def _operands(step: Step, stage: Stage, by_row: bool) -> list[Column]:
    """Those with a value of its own for each element; of an embedding also those by its row."""
    found = []
    own = stage.formula.partition(" = ")[0].partition("[")[2] or f"{_letters(step)[-1]}]"
    for name in stage.parameters:
        array = of_each(step, name)
        if array is None or not array.ndim:
            continue
        along = array.ndim == 1 and array.shape[-1:] == step.shape[-1:] and array.size > 1
        if along or by_row or array.shape == step.shape:
            found.append(_column(name if by_row else f"{name}[{own}", array))
    return found


def _column(title: str, values: Array | None, *, operand: bool = True, least: str = "") -> Column:
    width = max(len(title), len(least))
    if values is not None and values.size:
        extremes = (values.min(), values.max())
        widest = max(len(number(v)) for v in extremes)
        floating = np.issubdtype(values.dtype, np.floating)
        width = max(width, min(widest, 14), 11 if floating else 0)
    return Column(title, values, width, operand)
