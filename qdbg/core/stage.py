"""Stages: one formula each, with its arithmetic and its explanation in one function."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from qdbg.core.quantity import Array
from qdbg.core.ties import ties_in

FEW = 4
"""Up to one element in so many is computed apart from the others."""
Values: TypeAlias = Mapping[str, Any]
"""Operands and results by the names that the formulas use: `x_q`, `w_scale`, `acc` …"""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of an op: a formula, and the numpy that is that formula."""

    name: str
    """`mac`, `bias`, `requantize` …: what the steps list shows."""
    output: str
    """The symbol of the result, `acc`."""
    form: str
    """The result's type as a reader wants it, `int32 [C]`."""
    formula: str
    """In the symbols of the parameters, `s[c] = f32(v[c] · M[c])`."""
    explanation: str
    """The docstring, in plain words."""
    parameters: tuple[str, ...]
    compute: Callable[..., Array]
    saturates: Callable[..., Array] | None = None
    """Same parameters: int8 in the shape of the result, as `arithmetic.cut_sides` codes it."""
    unsaturated: Callable[..., Array] | None = None
    """Same parameters: what the result would be if nothing were cut off on the way."""
    constant: bool = False
    """A number per layer (a multiplier, say) and not a step on the data."""
    variants: tuple[Stage, Stage] | None = None
    """Of a stage whose elements take one of two formulas: where its last parameter is true, and
    where it is false."""

    def at(self, values: Values, index: tuple[int, ...]) -> Stage:
        """The stage whose formula an element takes."""
        if self.variants is None:
            return self
        return self.variants[0 if values[self.parameters[-1]][index] else 1]

    def run(self, values: Values) -> Array:
        """Compute the result from the operands in `values`: infinities and NaN come out without a
        warning, as they do from a kernel."""
        with np.errstate(all="ignore"):
            return self.quietly(values)

    def quietly(self, values: Values) -> Array:
        """As `run`, for who has silenced numpy's warnings already."""
        return self.compute(*[values[name] for name in self.parameters])

    def whole(self, values: Values) -> Array | None:
        """What the result would be without saturation, or None where the stage says nothing."""
        if self.unsaturated is None:
            return None
        return self.unsaturated(*(values[name] for name in self.parameters))

    def cut(self, values: Values) -> Array | None:
        """Where the stage cut a value off, or None for a stage that never does."""
        if self.saturates is None:
            return None
        return self.saturates(*(values[name] for name in self.parameters))

    def ties(self, values: Values) -> Array | None:
        """bool: where the stage rounded a value that lay half-way between two integers; None for
        a stage that rounds nothing."""
        if self.variants is None:
            return ties_in(lambda: self.run(values))
        yes, no = (variant.ties(values) for variant in self.variants)
        if yes is None and no is None:
            return None
        where = values[self.parameters[-1]]
        return np.where(where, yes if yes is not None else False, no if no is not None else False)


def stage(
    name: str,
    *,
    output: str,
    formula: str,
    saturates: Callable[..., Array] | None = None,
    unsaturated: Callable[..., Array] | None = None,
    constant: bool = False,
) -> Callable[[Callable[..., Array]], Stage]:
    """Make a Stage of a function whose parameters are the operands of `formula`.

    `output` is the symbol and its type: `acc  int32 [C]`. Raises TypeError when the function has
    no docstring or when a parameter does not occur in the formula: a formula that forgets an
    operand is wrong on the screen.
    """

    def make(compute: Callable[..., Array]) -> Stage:
        parameters = tuple(inspect.signature(compute).parameters)
        symbols = set(re.findall(r"\w+", formula))
        unused = [p for p in parameters if p not in symbols]
        if unused or not compute.__doc__:
            raise TypeError(f"stage {name}: {unused or 'docstring'} missing from {formula!r}")
        symbol, _, form = output.partition(" ")
        explanation = " ".join(compute.__doc__.split())
        return Stage(
            name,
            symbol,
            form.strip(),
            formula,
            explanation,
            parameters,
            compute,
            saturates,
            unsaturated,
            constant,
        )

    return make


def split(where: str, yes: Stage, no: Stage) -> Stage:
    """A stage that computes an element by `yes` where the bool operand `where` is true, else by
    `no`: the same value can give another integer by its place in the tensor."""
    parameters = tuple(dict.fromkeys((*yes.parameters, *no.parameters)))

    def compute(*operands: Any) -> Array:
        values = dict(zip((*parameters, where), operands, strict=True))
        chosen = np.asarray(values.pop(where))
        if np.all(chosen):
            return yes.run(values)
        others = ~chosen
        if not _each_alone(values, chosen) or FEW * np.count_nonzero(others) > chosen.size:
            return np.where(chosen, yes.run(values), no.run(values))
        apart = {name: value[others] if np.ndim(value) else value for name, value in values.items()}
        rest, most = no.run(apart), yes.run(values)
        made: Array = most.astype(np.result_type(most, rest))
        made[others] = rest
        return made

    return replace(yes, parameters=(*parameters, where), compute=compute, variants=(yes, no))


def _each_alone(values: Values, chosen: Array) -> bool:
    """Whether each operand is one number or has an element for each one of the result."""
    return all(np.ndim(value) == 0 or np.shape(value) == chosen.shape for value in values.values())
