"""The formula of a stage with the numbers of one element in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qdbg.core.quantity import Array
from qdbg.core.stage import Stage
from qdbg.engine.filled import element_of, number, with_numbers
from qdbg.engine.rows import is_table, row_of, rows_of
from qdbg.engine.simulate import Simulation
from qdbg.engine.step import OF_INPUTS, Step

KEPT = ", kept in 32 bits"
"""Behind a formula whose number alone can lie outside of int32."""


@dataclass(frozen=True, slots=True)
class Line:
    """One formula, twice."""

    symbols: str
    """`s[c] = f32(v[c]·M[c])`"""
    numbers: str
    """`s[8] = f32(1400.0·0.0382119) = 53.4967`"""
    explanation: str


def explain(step: Step, element: int) -> tuple[Line, ...]:
    """The stage's own line first, then one for each constant that it uses, and theirs."""
    if step.stage is None or step.simulation is None or not step.size:
        return ()
    return _with_constants(step.stage, step.simulation, step.index_of(element))


def way(step: Step, element: int) -> tuple[Line, ...]:
    """Every stage of the element's call with its numbers, each after the constants it needs.

    An input (of a stage that centres the inputs) has only its own stage: it is no output yet.
    """
    made = step.simulation
    if made is None or step.stage is None or not step.size:
        return ()
    index = step.index_of(element)
    stages = [
        stage
        for stage in made.stages
        if stage.output not in OF_INPUTS and made.values[stage.output].shape == step.shape
    ]
    found: dict[str, Line] = {}
    for stage in [step.stage] if step.of_inputs else stages:
        for needed in reversed(_with_constants(stage, made, index)):
            found.setdefault(needed.symbols, needed)
    return tuple(found.values())


def _with_constants(stage: Stage, made: Simulation, index: tuple[int, ...]) -> tuple[Line, ...]:
    stages, seen = [stage], {stage.output}
    for other in stages:
        for name in other.parameters:
            if name in made.constants and name not in seen:
                seen.add(name)
                stages.append(made.constants[name])
    own, *constants = stages
    if is_table(made.values):
        row = row_of(made.values, index)
        rows = [row] if row is not None else rows_of(made.values, index)[:1]
        return line(own, made, index), *(line(c, made, (r,)) for r in rows for c in constants)
    return tuple(line(other, made, index) for other in stages)


def line(stage: Stage, made: Simulation, index: tuple[int, ...]) -> Line:
    """One stage's formula for one element, in symbols and in numbers."""
    stage = stage.at(made.values, index)
    left, _, right = stage.formula.partition(" = ")
    position = _position(made.values[stage.output], index) if "[" in left else ""
    name = left.partition("[")[0] + (f"[{position}]" if position else "")
    put, gave = element_of(made.values[stage.output], index), gave_before(stage, made, index)
    value = put if gave is None else gave
    result, numbers = number(value), with_numbers(right, made, index)
    if numbers != result and ends_int32(stage, value):
        numbers += KEPT
    steps = [name, result] if numbers == result else [name, numbers, result]
    instead = "" if gave is None else f", replaced by {number(put)}"
    return Line(stage.formula, " = ".join(steps) + instead, stage.explanation)


def gave_before(stage: Stage, made: Simulation, index: tuple[int, ...]) -> object:
    """What the stage gave for an element that a what-if put another number in for; else None."""
    if not made.replaced or stage.output != made.stages[-1].output:
        return None
    return made.replaced.get(int(np.ravel_multi_index(index, made.values[stage.output].shape)))


def ends_int32(stage: Stage, value: object) -> bool:
    """Whether a stage that gives int32 gave the smallest or the largest one there is."""
    return "int32" in stage.form and np.asarray(value) in (-(2**31), 2**31 - 1)


def _position(values: Array, index: tuple[int, ...]) -> str:
    """All of the index, or its last number where there is one row only."""
    if values.ndim < len(index) or int(np.prod(values.shape[:-1], dtype=np.int64)) <= 1:
        return str(index[-1]) if index else ""
    return ",".join(str(i) for i in index)
