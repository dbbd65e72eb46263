"""Which numbers of a step an expression can name, and where it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from qdbg.core.op import NotSimulated
from qdbg.core.quantity import Array
from qdbg.engine.browse import OUTER, SPATIAL, UNKNOWN, axes_of
from qdbg.engine.compare import delta
from qdbg.engine.expression import TEXTS, Expression, Value
from qdbg.engine.simulate import planned
from qdbg.engine.trace import Step, Trace
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
        self._arrays = _arrays(step)

    def __iter__(self) -> Iterator[str]:
        """Every name that is known here."""
        both = {"delta"} if {"simulated", "captured"} <= self._arrays.keys() else set()
        return iter(sorted({*self._axes, *self._arrays, *TEXTS, "i", *both}))

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
        array = np.broadcast_to(self._arrays[name], self._step.shape)
        return np.asarray(array[np.unravel_index(self._elements, self._step.shape)])


def _arrays(step: Step) -> dict[str, Array]:
    """The operands and the result that have one number for each element or for all of them; and
    the numbers that hold for the whole call: scales, zero points, qmin."""
    found: dict[str, Array] = {}
    stage, made = step.stage, step.simulation
    if stage is not None and made is not None:
        whole = {name: np.asarray(value) for name, value in made.values.items()}
        found |= {n: v for n, v in whole.items() if not v.ndim and v.dtype.kind in "biuf"}
        own = _places(stage.formula).get(stage.output, set())
        places = _places(stage.formula.partition(" = ")[2])
        for name in (*stage.parameters, stage.output):
            array = np.asarray(made.values[name])
            along = places.get(name, set()) <= own or name == stage.output
            if along and array.dtype.kind in "biuf" and _spreads(array.shape, step.shape):
                found[name] = array
    compared = zip(COMPARED[:2], (step.captured, step.simulated), strict=True)
    given = {name: array for name, array in compared if array is not None}
    golden = {} if step.golden is None else {"golden": step.golden}
    return found | given | golden


def _places(formula: str) -> dict[str, set[str]]:
    """By symbol the letters behind it: `w_q[c,k]` has c and k."""
    found: dict[str, set[str]] = {}
    for name, place in re.findall(r"([A-Za-z_]\w*)\[((?:[^\[\]]|\[[^\]]*\])*)\]", formula):
        found.setdefault(name, set()).update(part.strip() for part in place.split(","))
    return found


def _spreads(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether an array of that shape has one number for each place of the whole."""
    if len(shape) > len(whole):
        return False
    ends = zip(shape, whole[len(whole) - len(shape) :], strict=True)
    return all(size in {1, full} for size, full in ends)


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
