"""Simulate one call: the stages of its op on its operands, under one arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qdbg.assumptions import Plan, changed
from qdbg.core.arithmetic import Arithmetic, i32
from qdbg.core.op import Call, Kernel, NotSimulated
from qdbg.core.program import Node
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
    kernel: Kernel | None
    """Of a call that sums products: who does it and how."""
    values: Values
    """Operands, constants and results of the stages, by symbol."""
    result: Array
    """The last stage's integers (uint8, int8) or float32, in the shape of the call's result."""


UNREPEATABLE = (
    "PyTorch's result is not its own arithmetic's: it gave another one when it ran this call again"
)


def simulate(call: Call, arithmetic: Arithmetic) -> Simulation:
    """Run the call's stages. Raises NotSimulated, with the reason, for what qdbg does not claim."""
    node = call.node
    op = registry().get(node.op)
    if op is None:
        raise NotSimulated(f"qdbg does not know the arithmetic of {node.op}")
    if not node.repeatable:
        raise NotSimulated(UNREPEATABLE)
    values: dict[str, Array] = op.operands(call)
    kernel = op.kernel(arithmetic, values) if op.kernel is not None else None
    if arithmetic.changes:
        plan = changed(Plan.of(op, call, arithmetic, values), arithmetic.changes)
        values, chosen, kernel = dict(plan.values), plan.stages, plan.kernel or kernel
    else:
        chosen = op.stages(arithmetic, values)
    for stage in chosen:
        values[stage.output] = readonly(np.asarray(stage.run(values)))
    last = values[chosen[-1].output]
    if op.channels_last:
        last = np.moveaxis(last, -1, 1)
    dtype = np.dtype(STORAGE.get(node.dtype, node.dtype))
    return Simulation(
        arithmetic,
        stages=tuple(s for s in chosen if not s.constant),
        constants={s.output: s for s in chosen if s.constant},
        kernel=kernel,
        values=values,
        result=readonly(last.reshape(node.shape).astype(dtype)),
    )


def kernel_of(node: Node, arithmetic: Arithmetic, values: Values) -> Kernel | None:
    """Who would make the call's sums under another arithmetic."""
    op = registry()[node.op]
    return None if op.kernel is None else op.kernel(arithmetic, values)


def window(values: Values, index: tuple[int, ...]) -> tuple[Array, Array]:
    """The inputs and the weights that meet in the output element: int32 [K] each."""
    w, x = np.asarray(values["w_q"]), np.asarray(values["x_q"])
    place = index[:-1] if x.ndim == len(index) else (*index[:-1], group_of(x, w, index[-1]))
    row = tuple(min(i, n - 1) for i, n in zip(place, x.shape, strict=False))
    return i32(x[row]), i32(w[index[-1]])


def group_of(x: Array, w: Array, channel: int) -> int:
    """Which group of input channels an output channel takes."""
    return channel * int(x.shape[-2]) // int(w.shape[0])
