"""Which numbers of a step an expression can name, and where it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from qdbg.core.op import NotSimulated
from qdbg.core.quantity import Array, entries
from qdbg.engine.belonging import of_each
from qdbg.engine.browse import OUTER, SPATIAL, UNKNOWN, axes_of
from qdbg.engine.compare import delta
from qdbg.engine.computed import Value
from qdbg.engine.expression import TEXTS, Expression
from qdbg.engine.simulate import planned
from qdbg.engine.step import Step
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError

PORTION = 2**18
"""How many elements an expression is computed for at once."""
COMPARED = ("captured", "simulated", "delta")
"""Names for what the table's columns show."""
LETTERS = frozenset(OUTER + SPATIAL + UNKNOWN + "cgiker")
"""The letters of axes; `i` is the flat index where no axis has that letter."""


class Scope(Mapping[str, Value]):
    """The numbers of some elements of a step by name, each made when it is asked for.

    The letters of the axes stand for themselves also where a symbol of the stage has that name.
    """

    def __init__(self, step: Step, elements: Array) -> None:
        self._step = step
        self._elements = elements
        axes = axes_of(step)
        self._axes = {letter: place for place, letter in enumerate(axes.letters)}

    def __iter__(self) -> Iterator[str]:
        """Every name that is known here."""
        step = self._step
        symbols = step.simulation.values if step.simulation is not None else ()
        asked = {*symbols, *COMPARED, "golden"}
        return iter(sorted({*self._axes, *TEXTS, "i"} | {n for n in asked if n in self}))

    def __contains__(self, name: object) -> bool:
        """Whether the name is known here; nothing is computed."""
        if name in self._axes or name in TEXTS or name == "i":
            return True
        asked = COMPARED[:2] if name == "delta" else (str(name),)
        return all(_array(self._step, each) is not None for each in asked)

    def __len__(self) -> int:
        """How many there are."""
        return len(list(iter(self)))

    def __getitem__(self, name: str) -> Value:
        """The numbers of that name. Raises KeyError."""
        step = self._step
        if name in TEXTS:
            own = step.stage.name.replace(" ", "_") if step.stage is not None else "result"
            return own if name == "stage" else step.node.layer or step.node.name
        if name in self._axes:
            return np.unravel_index(self._elements, step.shape)[self._axes[name]]
        if name == "i":
            return self._elements
        if name == "delta":
            return delta(self._of("simulated"), self._of("captured"))
        return self._of(name)

    def _of(self, name: str) -> Array:
        found = _array(self._step, name)
        if found is None:
            raise KeyError(name)
        return entries(np.broadcast_to(found, self._step.shape), self._elements)


def _array(step: Step, name: str) -> Array | None:
    """An operand or the result of the stage with one number for each element or for all of them,
    a number that holds for the whole call (a scale, qmin), or what the table compares."""
    compared = {"captured": step.captured, "simulated": step.simulated, "golden": step.golden}
    if name in compared:
        return compared[name]
    stage, made = step.stage, step.simulation
    if stage is None or made is None or name not in made.values:
        return None
    array = np.asarray(made.values[name])
    if array.dtype.kind not in "biuf":
        return None
    if not array.ndim or name == stage.output:
        return array
    return of_each(step, name)


def satisfying(step: Step, expression: Expression) -> Array | None:
    """bool [elements]: where the expression holds; None where the step lacks one of its names."""
    found = np.zeros(step.size, np.bool_)
    for start in range(0, step.size, PORTION):
        elements = np.arange(start, min(start + PORTION, step.size))
        try:
            holds = expression.holds(Scope(step, elements))
        except KeyError:
            return None
        if not holds.ndim and not holds:
            return found
        found[start : start + PORTION] = holds
    return found


def value_at(step: Step, expression: Expression, element: int) -> Any:
    """The expression's value for one element; None where the step lacks one of its names."""
    try:
        found = expression.compute(Scope(step, np.array([element])))
    except KeyError:
        return None
    return np.broadcast_to(found, (1,))[0]


def check_names(trace: Trace, expression: Expression) -> None:
    """Raise CommandError where a name of the expression stands for nothing in the whole run."""
    unknown = expression.names - LETTERS - TEXTS - {*COMPARED, "golden"}
    symbols = _symbols(trace) if unknown else set()
    missing = sorted(unknown - symbols)
    if missing:
        axes = "the axes n, c, h, w, the flat index i"
        raise CommandError(
            f"there is no name {missing[0]!r} in this run",
            expected=f"{', '.join(COMPARED)}, layer, stage, {axes}, or a symbol of a stage",
            remedy=f"Symbols: {', '.join(sorted(symbols))}",
        )


def _symbols(trace: Trace) -> set[str]:
    """The symbols of every stage of the run."""
    found: set[str] = set()
    for call in range(len(trace.nodes)):
        try:
            plan = planned(trace.call(call), trace.arithmetic)
        except NotSimulated:
            continue
        found |= {name for name, value in plan.values.items() if not np.ndim(value)}
        for stage in plan.steps:
            found |= {stage.output, *stage.parameters}
    return found
