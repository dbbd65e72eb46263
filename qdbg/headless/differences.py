"""The elements of a call that differ, by index and with both values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qdbg.core.op import NotSimulated
from qdbg.core.quantity import Array
from qdbg.engine.compare import delta, differs
from qdbg.engine.trace import Trace

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

    def place(self, element: Element) -> str:
        """The element as `--element` and `go` take it: `fc1:linear[8]`."""
        rows = int(np.prod(self.shape[:-1], dtype=np.int64))
        index = element.index if rows > 1 else element.index[-1:]
        return f"{self.name}[{','.join(str(i) for i in index)}]" if index else self.name


def call_differences(name: str, simulated: Array, captured: Array) -> CallDifferences | None:
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
    return CallDifferences(name, len(found), elements, captured.shape)


def trace_differences(trace: Trace) -> tuple[CallDifferences, ...]:
    """Every simulated call that differs, in the order of the run."""
    return _all(
        call_differences(node.name, made.result, trace.recording.values[call])
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
