"""What a step's integers look like as a whole: their range, and how full the byte is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qdbg.core.quantity import Array, QParams
from qdbg.engine.filled import number
from qdbg.engine.rows import is_table, row_of
from qdbg.engine.step import Step


@dataclass(frozen=True, slots=True)
class Range:
    """The distribution of a quantized result."""

    counts: tuple[int, ...]
    """Values per bin, from qmin to qmax."""
    qmin: int
    qmax: int
    at_qmin: int
    """How many values are qmin itself."""
    at_qmax: int
    zero_point: int
    zero_bin: int
    """The bin of the zero point."""


def value_range(step: Step, bins: int) -> Range | None:
    """The distribution over `bins` bins; None for a step whose result is not quantized bytes."""
    qparams, tally = step.node.output, step.bytes
    if qparams is None or tally is None:
        return None
    span = qparams.qmax - qparams.qmin + 1
    places = np.arange(span) * bins // span
    counts = np.bincount(places, weights=tally, minlength=bins)
    zero_point = int(qparams.zero_point)
    return Range(
        tuple(int(n) for n in counts),
        qparams.qmin,
        qparams.qmax,
        int(tally[0]),
        int(tally[-1]),
        zero_point,
        (zero_point - qparams.qmin) * bins // span,
    )


def extremes(step: Step) -> str:
    """`-30829 … 41234`: the smallest and largest value of the step."""
    if step.extremes is None:
        return ""
    return f"{number(step.extremes[0])} … {number(step.extremes[1])}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of the call that is not an element: a scale, a zero point, a bound."""

    symbol: str
    value: str


def parameters(step: Step, element: int) -> tuple[Parameter, ...]:
    """The quantization parameters of the call, those per channel or row for the element's own."""
    if step.simulation is None:
        return tuple(_output(step.node.output))
    if not step.size:
        return ()
    values, index = step.simulation.values, step.index_of(element)
    found = (
        _parameter(step, name, np.asarray(value), index)
        for name, value in values.items()
        if name.endswith(("_scale", "_zp"))
        or name in {"qmin", "qmax"}
        or (name == "b" and "x_q" in values)  # a bias, and no operand of an addition
    )
    return tuple(parameter for parameter in found if parameter is not None)


def _parameter(step: Step, name: str, array: Array, index: tuple[int, ...]) -> Parameter | None:
    if not array.ndim:
        return Parameter(name, number(array[()]))
    if step.simulation is not None and is_table(step.simulation.values):
        row = row_of(step.simulation.values, index)
        return None if row is None else Parameter(f"{name}[{row}]", number(array[row]))
    if step.of_inputs or array.ndim > len(index):
        return None
    own = tuple(i if n > 1 else 0 for i, n in zip(index[-array.ndim :], array.shape, strict=True))
    if any(i >= n for i, n in zip(own, array.shape, strict=True)):
        return None
    return Parameter(f"{name}[{own[-1]}]" if array.ndim == 1 else name, number(array[own]))


def _output(qparams: QParams | None) -> list[Parameter]:
    if qparams is None or qparams.per_channel:
        return []
    return [
        Parameter("y_scale", number(np.float64(qparams.scale))),
        Parameter("y_zp", str(int(qparams.zero_point))),
    ]
