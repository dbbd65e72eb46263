"""The window of the input that one element of a convolution sees: pixels, weights and padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qdbg.core.quantity import Array
from qdbg.core.stage import Values
from qdbg.engine.positions import Line, outside, positions
from qdbg.engine.simulate import group_of, window
from qdbg.engine.step import Step
from qdbg.engine.terms import Terms

SHADES = 8
"""How many shades the inputs have."""
BYTES = 256
AXES = 3
"""Depth, rows and columns; an image without some of them has one place there."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One position of the kernel."""

    k: int
    """Its place in the sum."""
    x: int | None
    """x_q; None outside the input, where the zero point stands or nothing is multiplied."""
    w: int
    """w_q."""
    shade: int
    """Of x_q, from 0 for the smallest byte."""
    excess: int
    """What the saturating pair that it belongs to lost."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the element reads of one input channel, at one depth."""

    rows: Line
    """Where in the input the kernel's rows lie."""
    columns: Line
    cells: tuple[tuple[Cell, ...], ...]
    size: tuple[int, ...]
    """The input's, without samples and channels."""
    channel: int
    """Of the input."""
    channels: range
    """Those that the output channel reads: its group's."""
    depth: int | None
    """Where in the input's depth; None for an input without."""
    plane: int
    """Which channel and depth it is among those that the element reads."""
    planes: int
    zero_point: int
    outside: str
    """What stands where there is no pixel: `padding`."""

    @property
    def padded(self) -> int:
        """How many positions lie outside the input."""
        return sum(cell.x is None for row in self.cells for cell in row)


def sight(step: Step, element: int, found: Terms | None, plane: int | None = None) -> Sight | None:
    """What an element of a convolution reads; None for other ops. Where no plane is asked for it
    is the one that the first saturating pair begins in."""
    made = step.simulation
    if made is None or found is None or "x_size" not in made.values:
        return None
    values, index = made.values, step.index_of(element)
    at = positions(values, index)
    at = [(0,)] * (AXES - len(at)) + at
    channels = int(values["x_channels"]) // int(values["groups"])
    shape = (*(len(places) for places in at), channels)
    lost = np.zeros(shape, np.int64)
    for term in found.saturating:
        lost.flat[[product.k for product in term.products]] = term.excess
    if plane is None:
        first = int(np.flatnonzero(lost)[0]) if lost.any() else 0
        plane = first // (shape[1] * shape[2] * channels) * channels + first % channels
    planes = shape[0] * channels
    plane = min(max(0, plane), planes - 1)
    depth, channel = divmod(plane, channels)
    group = group_of(values["x_q"], values["w_q"], index[-1]) * channels
    parts = (*(part.reshape(shape) for part in window(values, index)), lost)
    return Sight(
        at[1],
        at[2],
        _cells([part[depth, ..., channel] for part in parts], at, depth, plane, values),
        tuple(int(n) for n in values["x_size"]),
        group + channel,
        range(group, group + channels),
        at[0][depth] if len(values["x_size"]) == AXES else None,
        plane,
        planes,
        int(values["x_zp"]),
        outside(values),
    )


def _cells(
    parts: list[Array], at: list[Line], depth: int, plane: int, values: Values
) -> tuple[tuple[Cell, ...], ...]:
    """The positions of one plane: inputs, weights and losses are [rows, columns]."""
    size = [1] * AXES + [int(n) for n in values["x_size"]]
    channels = int(values["x_channels"]) // int(values["groups"])
    rows = []
    for r, row in enumerate(at[1]):
        cells = []
        for c, column in enumerate(at[2]):
            place = zip((at[0][depth], row, column), size[-AXES:], strict=True)
            inside = all(here is not None and 0 <= here < length for here, length in place)
            k = ((depth * len(at[1]) + r) * len(at[2]) + c) * channels + plane % channels
            x, w, lost = (int(part[r, c]) for part in parts)
            shade = (x + BYTES) % BYTES * SHADES // BYTES
            cells.append(Cell(k, x if inside else None, w, shade, lost))
        rows.append(tuple(cells))
    return tuple(rows)
