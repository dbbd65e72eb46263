"""One element's whole computation, number by number, out of the formulas of its stages."""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from qdbg.core import scalars
from qdbg.core.op import NotSimulated
from qdbg.core.pairs import pair_members
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage
from qdbg.engine.explain import ends_int32, gave_before
from qdbg.engine.filled import element_of
from qdbg.engine.formula import (
    FUNCTIONS,
    Applied,
    Both,
    Choice,
    Formula,
    Minus,
    Name,
    Number,
    Total,
    Tree,
    Unread,
    names_in,
    read,
)
from qdbg.engine.rows import in_row, is_table
from qdbg.engine.simulate import Simulation, window
from qdbg.engine.step import Step
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError

Value: TypeAlias = float | list[float]
"""A number, or the numbers that a sum goes over; Python's int where it is an integer."""
SIGNS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "<": operator.lt,
    ">": operator.gt,
}
CALLED: Mapping[str, Callable[..., float]] = {
    name: getattr(scalars, name) if hasattr(scalars, name) else {"min": min, "max": max}[name]
    for name in FUNCTIONS
}


@dataclass(frozen=True, slots=True)
class Line:
    """One stage for the element."""

    formula: Formula
    text: str
    """The formula as the screen has it."""
    name: str
    """The stage's name."""
    whole: bool
    """The result is an integer."""
    value: Value


@dataclass(frozen=True, slots=True)
class Computation:
    """Everything that the element's integer follows from."""

    title: str
    operands: Mapping[str, Value]
    """The user's own numbers, by the symbols of the formulas."""
    lines: tuple[Line, ...]

    @property
    def result(self) -> Line:
        """The last line."""
        return self.lines[-1]


def computation(trace: Trace, step: Step, element: int) -> Computation:
    """The computation of the element's result. Raises CommandError for what formulas do not tell:
    each line is computed from its formula alone, and must give the simulated number."""
    made = trace.simulation(step.call)
    if isinstance(made, NotSimulated):
        raise CommandError(f"{step.node.name} is not simulated: {made}")
    result = np.asarray(made.values[made.stages[-1].output])
    if result.shape != step.shape:
        raise CommandError(
            "only an output element has a whole computation",
            remedy="Go to a stage of the layer's outputs, its last one for example.",
        )
    writer = Writer(made, step.index_of(element))
    with np.errstate(all="ignore"):
        writer.add(made.stages[-1])
    recording = trace.recording
    what_if = f", what if {trace.what_if}" if trace.what_if else ""
    title = (
        f"{step.node.name}[{','.join(map(str, step.index_of(element)))}] of {recording.model} on "
        f"{recording.sample}, as {trace.arithmetic.name} computes it{what_if}"
    )
    return writer.made_of(title.replace("*/", "* /"))


class Writer:
    """Collects the lines that a result needs, each after those it needs."""

    def __init__(self, made: Simulation, index: tuple[int, ...]) -> None:
        self.simulation, self.index = made, index
        self.stages = {stage.output: stage for stage in (*made.stages, *made.constants.values())}
        self.operands: dict[str, Value] = {}
        self.lines: dict[str, Line] = {}

    def add(self, general: Stage) -> None:
        """Add the stage's line and what it needs. Raises CommandError."""
        stage = general.at(self.simulation.values, self.index)
        if gave_before(stage, self.simulation, self.index) is not None:
            raise _refused(stage, "its number was put in by a what-if; z shows the original run")
        try:
            formula = read(stage.formula)
        except Unread as problem:
            raise _refused(
                stage, f"no program is written for {str(problem).strip()!r} in its formula"
            ) from None
        names = names_in(formula.tree)
        for name in names:
            if name.symbol in self.stages and name.symbol != stage.output:
                if name.symbol not in self.lines:
                    self.add(self.stages[name.symbol])
            elif name.symbol not in self.operands:
                self.operands[name.symbol] = self._operand(stage, name)
        formula = self._in_pairs(formula)
        whole = "int" in stage.form or stage.form.startswith("byte")
        vector = formula.place == "k"
        known = {**self.operands, **{line: own.value for line, own in self.lines.items()}}
        try:
            value: Value = evaluate(formula.tree, known, whole, vector)
        except (ArithmeticError, ValueError, TypeError, IndexError, KeyError) as problem:
            raise _refused(stage, f"its formula cannot be computed here ({problem})") from None
        expected = self._vector(stage.output) if vector else self._own(stage.output)
        if not vector and ends_int32(stage, expected) and not _same(value, expected):
            formula, value = _in_int32(formula, known, expected)
        if not _same(value, expected):
            raise _refused(stage, f"its formula alone gives {value}, the kernel {expected}")
        self.lines[stage.output] = Line(formula, stage.formula, stage.name, whole, value)

    def made_of(self, title: str) -> Computation:
        """The lines so far with the operands that they name."""
        lines = tuple(self.lines.values())
        used = {name.symbol for line in lines for name in names_in(line.formula.tree)}
        operands = {symbol: n for symbol, n in self.operands.items() if symbol in used}
        return Computation(title, operands, lines)

    def _operand(self, stage: Stage, name: Name) -> Value:
        if name.symbol not in self.simulation.values:
            raise _refused(stage, f"{name.symbol} is no number of the call")
        if name.place.endswith("[i]"):
            place = int(self._own(name.place.removesuffix("[i]")))
            return _plain(np.asarray(self.simulation.values[name.symbol]).flat[place])
        return self._vector(name.symbol) if name.place else self._own(name.symbol)

    def _own(self, symbol: str) -> float:
        values = self.simulation.values
        with suppress(KeyError):
            if is_table(values) and symbol not in {"row", self.simulation.stages[-1].output}:
                return _plain(in_row(values, symbol, self.index))
        try:
            return _plain(element_of(np.asarray(values[symbol]), self.index))
        except (IndexError, TypeError, ValueError):
            raise CommandError(f"{symbol} has no number that belongs to this element") from None

    def _vector(self, symbol: str) -> list[float]:
        """The inputs, or the weights, that meet in the element."""
        values = self.simulation.values
        if "w_q" not in values or "x_q" not in values:
            raise CommandError(f"the sum over {symbol} is not one over inputs and weights")
        array = np.asarray(values[symbol])
        x, w = window({**values, "x_q": values["x_q"] if symbol == "w_q" else array}, self.index)
        return [int(n) for n in (w if symbol == "w_q" else x)]

    def _in_pairs(self, formula: Formula) -> Formula:
        """Sums over pairs go over numbers of which every two are a pair."""
        tree = formula.tree
        if not isinstance(tree, Total) or tree.over != "i":
            return formula
        block = self.simulation.kernel.block if self.simulation.kernel is not None else 0
        symbols = {name.symbol for name in names_in(tree) if name.place}
        size = len(self._vector("w_q"))
        first, second, both = (part.tolist() for part in pair_members(size, block))
        if first == list(range(0, size, 2)) and all(both):
            return formula
        for symbol in symbols:
            own = self._vector(symbol)
            pairs = [
                (own[a], own[b] if two else 0)
                for a, b, two in zip(first, second, both, strict=True)
            ]
            self.operands[f"{symbol}_pairs"] = [n for pair in pairs for n in pair]
        return Formula(formula.symbol, formula.place, _renamed(tree, symbols))


def _renamed(tree: Tree, symbols: set[str]) -> Tree:
    match tree:
        case Name(symbol, place):
            return Name(f"{symbol}_pairs", place) if symbol in symbols else tree
        case Both(sign, left, right):
            return Both(sign, _renamed(left, symbols), _renamed(right, symbols))
        case Applied(function, given):
            return Applied(function, tuple(_renamed(each, symbols) for each in given))
        case Minus(of):
            return Minus(_renamed(of, symbols))
        case Total(over, of):
            return Total(over, _renamed(of, symbols))
    return tree


def _refused(stage: Stage, why: str) -> CommandError:
    return CommandError(f"the stage {stage.name} cannot be written as code: {why}")


def _plain(value: object) -> float:
    array: Array = np.asarray(value)
    return int(array) if array.dtype.kind in "iub" else float(array)


def _same(value: Value, expected: Value) -> bool:
    if isinstance(value, list) or isinstance(expected, list):
        return value == expected
    if isinstance(value, int) and isinstance(expected, int):
        return value == expected
    return struct.pack("d", value) == struct.pack("d", expected)


def _in_int32(
    formula: Formula, known: Mapping[str, Value], expected: Value
) -> tuple[Formula, Value]:
    """The formula with the function that takes its number to that end of int32."""
    found = []
    for function in ("sat32", "rne32"):
        tree = Applied(function, (formula.tree,))
        found.append((replace(formula, tree=tree), evaluate(tree, known, whole=True, vector=False)))
    return next((each for each in found if _same(each[1], expected)), found[0])


def evaluate(tree: Tree, known: Mapping[str, Value], whole: bool, vector: bool) -> Value:
    """What the formula gives: integers where the stage's result is one."""
    if vector:
        size = max(len(v) for n in names_in(tree) if isinstance(v := known[n.symbol], list))
        return [int(_number(tree, known, k)) for k in range(size)]
    found = _number(tree, known, 0)
    return int(found) if whole else float(found)


def terms_of(total: Total, known: Mapping[str, Value]) -> int:
    """How many terms the sum has."""
    sizes = [len(v) for n in names_in(total) if isinstance(v := known[n.symbol], list)]
    return min(sizes) // (2 if total.over == "i" else 1)


def _number(tree: Tree, known: Mapping[str, Value], at: int) -> float:  # noqa: PLR0911 - a case each
    match tree:
        case Number(text):
            return float(text) if "." in text else int(text)
        case Name(symbol, place):
            own = known[symbol]
            if isinstance(own, list):
                return own[{"": at, "k": at, "2i": 2 * at, "2i+1": 2 * at + 1}[place]]
            return own
        case Minus(of):
            return -_number(of, known, at)
        case Both(sign, left, right):
            return SIGNS[sign](_number(left, known, at), _number(right, known, at))
        case Applied(function, given):
            return CALLED[function](*(_number(each, known, at) for each in given))
        case Choice(test, yes, no):
            return _number(yes if _number(test, known, at) else no, known, at)
        case Total():
            return sum(_number(tree.of, known, i) for i in range(terms_of(tree, known)))
    raise TypeError(math.nan)
