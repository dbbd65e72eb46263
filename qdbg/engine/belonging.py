"""Which number of an operand belongs to an element of a stage's result."""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from qdbg.core.quantity import Array
from qdbg.engine.rows import gathered, is_table
from qdbg.engine.step import Step


def of_each(step: Step, name: str) -> Array | None:
    """An operand of the stage with one number for each element of its result, in a shape that
    broadcasts to the step's; None where elements have several of its numbers, or none."""
    stage, made = step.stage, step.simulation
    if stage is None or made is None or name not in stage.parameters:
        return None
    array = np.asarray(made.values[name])
    if not array.ndim:
        return array
    if is_table(made.values):
        return gathered(made.values, name)
    if not _spreads(array.shape, step.shape):
        return None
    operands = _places(stage.formula.partition(" = ")[2])
    own = _places(stage.formula).get(stage.output, frozenset())
    return array if operands.get(name, frozenset()) <= own else None


@cache
def _places(formula: str) -> dict[str, frozenset[str]]:
    """By symbol the letters behind it: `w_q[c,k]` has c and k."""
    found: dict[str, frozenset[str]] = {}
    for name, place in re.findall(r"([A-Za-z_]\w*)\[((?:[^\[\]]|\[[^\]]*\])*)\]", formula):
        found[name] = found.get(name, frozenset()) | {part.strip() for part in place.split(",")}
    return found


def _spreads(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether an array of that shape has one number for each place of the whole."""
    if len(shape) > len(whole):
        return False
    ends = zip(shape, whole[len(whole) - len(shape) :], strict=True)
    return all(size in {1, full} for size, full in ends)
