"""The feature map of one channel: its pixels' shades and marks, a part at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qdbg.core.arithmetic import f64, i64
from qdbg.core.once import cached_property
from qdbg.core.quantity import Array
from qdbg.engine.browse import Axes, axes_of
from qdbg.engine.step import Step


@dataclass(frozen=True, slots=True)
class Pixels:
    """Some elements of one row as they are drawn."""

    shades: tuple[int, ...] = ()
    """From 0 for the smallest value to one less than the number of shades."""
    differs: tuple[bool, ...] = ()
    sides: tuple[int, ...] = ()
    """Where the values were cut off, as `arithmetic.cut_sides` codes it."""
    texts: tuple[str, ...] = ()
    """The values themselves, where they were asked for."""

    @property
    def marked(self) -> list[int]:
        """The places with a mark."""
        both = zip(self.differs, self.sides, strict=True)
        return [i for i, (differs, side) in enumerate(both) if differs or side]


@dataclass(frozen=True, slots=True)
class Counts:
    """What is marked in a picture."""

    differences: int | None
    """None where PyTorch shows no values to compare with."""
    cut: int


class Picture:
    """The elements that share an element's sample, depth and channel, as rows and columns."""

    def __init__(self, step: Step, element: int) -> None:
        self.step = step
        self.axes: Axes = axes_of(step)
        self.across = (*self.axes.rows, *self.axes.columns)
        self.number = self._number(element)
        self._corner = self.axes.at(self.across, element, 0)
        self.height, self.width = (self.axes.shape[axis] for axis in self.across)
        self._values = self._plane(step.shown)
        self._differs = self._plane(step.different)
        self._cut = self._plane(step.cut)

    def shows(self, step: Step, element: int) -> bool:
        """Whether the element is one of this picture's."""
        return self.step is step and self.number == self._number(element)

    def _number(self, element: int) -> int:
        others = tuple(axis for axis in self.axes.all if axis not in self.across)
        return self.axes.among(others, element)

    def _plane(self, array: Array | None) -> Array | None:
        """The picture's part of a step's array, not copied."""
        if array is None:
            return None
        at = self.axes.index(self._corner)
        place = [slice(None) if i in self.across else slice(n, n + 1) for i, n in enumerate(at)]
        flat = array[tuple(place)].squeeze(tuple(i for i in self.axes.all if i not in self.across))
        return flat if self.across[0] < self.across[1] else flat.T

    def place(self, element: int) -> tuple[int, int]:
        """The element's row and column."""
        row, column = divmod(self.axes.among(self.across, element), self.width)
        return row, column

    def element(self, row: int, column: int) -> int:
        """The element in the row and column."""
        return self.axes.at(self.across, self._corner, row * self.width + column)

    @cached_property
    def ends(self) -> tuple[int | float, int | float]:
        """The values of the first and the last shade: qmin and qmax of a quantized result, else the
        smallest and the largest value of the stage."""
        params = self.step.node.output
        if self.step.bytes is not None and params is not None:
            return params.qmin, params.qmax
        found = self.step.extremes
        return (0, 0) if found is None else (found[0].item(), found[1].item())

    @cached_property
    def longest(self) -> int:
        """How many characters the longest integer of the stage takes; 0 for other numbers."""
        found = self.step.extremes
        if found is None or not np.issubdtype(np.asarray(found[0]).dtype, np.integer):
            return 0
        return max(len(str(end)) for end in found)

    @cached_property
    def counts(self) -> Counts:
        """How many elements of this picture differ, and how many were cut off."""
        differences = None if self._differs is None else int(np.count_nonzero(self._differs))
        return Counts(differences, 0 if self._cut is None else int(np.count_nonzero(self._cut)))

    def part(self, rows: slice, columns: slice, shades: int, numbered: bool) -> list[Pixels]:
        """The pixels of some rows, with their values if `numbered`."""
        if self._values is None:
            return []
        values = self._values[rows, columns]
        none: Array = np.zeros(values.shape, np.int8)
        differs = none if self._differs is None else self._differs[rows, columns]
        cut = none if self._cut is None else self._cut[rows, columns]
        shown = (array.tolist() for array in (self._shades(values, shades), differs, cut))
        texts = values.tolist() if numbered else [()] * len(values)
        return [
            Pixels(tuple(shade), tuple(marked), tuple(sides), tuple(map(str, text)))
            for shade, marked, sides, text in zip(*shown, texts, strict=True)
        ]

    def _shades(self, values: Array, shades: int) -> Array:
        low, high = self.ends
        if not low < high:
            return np.zeros(values.shape, np.int64)
        with np.errstate(all="ignore"):
            part = (f64(values) - low) / (high - low)
        part[np.isnan(part)] = 0
        return i64(np.minimum(np.maximum(part, 0) * shades, shades - 1))
