"""The elements of a call that differ, by index and with both values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qdbg.core.op import NotSimulated
from qdbg.core.program import Node
from qdbg.core.quantity import Array
from qdbg.engine.browse import PLAIN
from qdbg.engine.compare import delta, differs
from qdbg.engine.trace import Trace
from qdbg.ops import registry

SHOWN = 5
"""How many elements of a call are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element with two values."""

    index: tuple[int, ...]
    captured: float
    simulated: float
    delta: float
    """Simulated − captured."""


@dataclass(frozen=True, slots=True)
class CallDifferences:
    """The differences of one call."""

    name: str
    count: int
    elements: tuple[Element, ...]
    """The first ones."""
    shape: tuple[int, ...]
    letters: str = ""
    """Of the axes, where a place is typed in another order: `nchw`."""

    def place(self, element: Element) -> str:
        """The element as `--element` and `go` take it: `fc1:linear[8]`."""
        rows = int(np.prod(self.shape[:-1], dtype=np.int64))
        index = element.index if rows > 1 or self.letters else element.index[-1:]
        order = f"{self.letters} " if self.letters else ""
        return f"{self.name}[{order}{','.join(str(i) for i in index)}]" if index else self.name


def order_of(node: Node) -> str:
    """The letters of the axes of the call's result in PyTorch's order, where the stages have them
    in another one; else nothing."""
    op = registry().get(node.op)
    return PLAIN.get(len(node.shape), "") if op is not None and op.channels_last else ""


def call_differences(
    name: str, simulated: Array, captured: Array, letters: str = ""
) -> CallDifferences | None:
    """What differs in one call, or None where nothing does."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.argwhere(differs(simulated, captured))
        if not len(found):
            return None
        change = delta(simulated, captured)
    first = (tuple(int(i) for i in index) for index in found[:SHOWN])
    elements = tuple(
        Element(i, captured[i].item(), simulated[i].item(), change[i].item()) for i in first
    )
    return CallDifferences(name, len(found), elements, captured.shape, letters)


def trace_differences(trace: Trace) -> tuple[CallDifferences, ...]:
    """Every simulated call that differs, in the order of the run."""
    return _all(
        call_differences(node.name, made.result, trace.recording.values[call], order_of(node))
        for call, node in enumerate(trace.nodes)
        if not isinstance(made := trace.simulation(call), NotSimulated)
    )


def _all(found: Iterable[CallDifferences | None]) -> tuple[CallDifferences, ...]:
    return tuple(item for item in found if item is not None)


def element_lines(found: CallDifferences, first: str, second: str) -> list[str]:
    """The named elements as aligned lines: `fc1:linear[8]  captured 54  simulated 53  Δ -1`.

    `first` and `second` say where the two values come from.
    """
    rows = [
        (found.place(e), plain(e.captured), plain(e.simulated), signed(e.delta))
        for e in found.elements
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        f"{place:<{widths[0]}}  {first} {a:>{widths[1]}}  {second} {b:>{widths[2]}}"
        f"  Δ {change:>{widths[3]}}"
        for place, a, b, change in rows
    ]
    hidden = found.count - len(rows)
    return [*lines, f"… and {hidden} more"] if hidden else lines


def plain(value: float) -> str:
    """An integer as it is, a float32 with the digits that name it."""
    return str(value) if isinstance(value, int) else str(np.float32(value))


def signed(change: float) -> str:
    """Δ with its sign."""
    return f"{change:+d}" if isinstance(change, int) else f"{change:+.6g}"
