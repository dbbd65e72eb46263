"""Simulate one call: the stages of its op on its operands, under one arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qdbg.core.arithmetic import Arithmetic
from qdbg.core.op import NotSimulated, Operand
from qdbg.core.program import Layer, Node
from qdbg.core.quantity import STORAGE, Array, readonly
from qdbg.core.stage import Stage, Values
from qdbg.ops import registry


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """One call under one arithmetic: every number between its operands and its result."""

    arithmetic: Arithmetic
    stages: tuple[Stage, ...]
    """The steps on the data, in order."""
    constants: Mapping[str, Stage]
    """The numbers that hold for the whole call (a multiplier, say), by symbol."""
    values: Values
    """Operands, constants and results of the stages, by symbol."""
    result: Array
    """The last stage's integers (uint8, int8) or float32, in the shape of the call's result."""


def simulate(
    node: Node, layer: Layer | None, inputs: tuple[Operand, ...], arithmetic: Arithmetic
) -> Simulation:
    """Run the call's stages. Raises NotSimulated, with the reason, for what qdbg does not claim."""
    op = registry().get(node.op)
    if op is None:
        raise NotSimulated(f"qdbg does not know the arithmetic of {node.op}")
    values: dict[str, Array] = op.operands(node, layer, inputs)
    chosen = op.stages(arithmetic, values)
    for stage in chosen:
        values[stage.output] = readonly(np.asarray(stage.run(values)))
    last = values[chosen[-1].output]
    dtype = STORAGE.get(node.dtype, np.float32)
    return Simulation(
        arithmetic,
        stages=tuple(s for s in chosen if not s.constant),
        constants={s.output: s for s in chosen if s.constant},
        values=values,
        result=readonly(last.reshape(node.shape).astype(dtype)),
    )
