"""Simulate one call: the stages of its op on its operands, under one arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from math import prod
from typing import Any

import numpy as np

from qdbg import assumptions
from qdbg.core.arithmetic import i32
from qdbg.core.op import Call, Kernel, NotSimulated, Op, laid_out
from qdbg.core.presets import Arithmetic
from qdbg.core.program import Node
from qdbg.core.quantity import STORAGE, Array, memory_order, readonly
from qdbg.core.stage import Stage, Values
from qdbg.engine.known import Known, Likeness, keep, known, likeness
from qdbg.ops import registry

ROOM = 2**19
"""How many numbers a part of a call has: so few that the processor's cache holds its stages."""


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
    replaced: Mapping[int, object] = field(default_factory=dict)
    """Of a what-if: by its flat index in the last stage what that gave for an element that another
    number was put in for."""

    @property
    def bytes(self) -> int:
        """What the numbers take."""
        return sum(int(np.asarray(value).nbytes) for value in self.values.values())


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What would be done to simulate a call; nothing is computed yet."""

    node: Node
    op: Op
    arithmetic: Arithmetic
    values: dict[str, Any]
    """The operands."""
    stages: tuple[Stage, ...]
    """Constants among them."""
    rivals: tuple[tuple[Stage, ...], ...]
    """Other stages that PyTorch may have taken."""
    kernel: Kernel | None
    constants: dict[str, Array] = field(default_factory=dict)
    """Results of stages that are the same for all rows, as far as they are known."""

    @property
    def steps(self) -> tuple[Stage, ...]:
        """The stages on the data."""
        return tuple(stage for stage in self.stages if not stage.constant)

    @property
    def rows(self) -> tuple[str, ...]:
        """The operands that have a row for each row of the result: it is cut into parts by them."""
        return tuple(name for name in self.op.rows if name in self.values)

    @property
    def width(self) -> int:
        """How many numbers a row has at most; 0 where the call is not cut into parts."""
        if not self.rows:
            return 0
        first = self.values[self.rows[0]]
        channels = len(self.values["w_q"]) if "w_q" in self.values else 1
        return int(max(channels, prod(first.shape[first.ndim - self.op.inner :])))

    @property
    def size(self) -> int:
        """How many numbers all rows have together; 0 where the call is not cut into parts."""
        if not self.rows:
            return 0
        first = self.values[self.rows[0]]
        return int(self.width * prod(first.shape[: first.ndim - self.op.inner]))


UNREPEATABLE = (
    "PyTorch's result is not the same twice: it gave another one when it ran this call again on the"
    " same operands"
)


def planned(call: Call, arithmetic: Arithmetic) -> Plan:
    """The call's stages. Raises NotSimulated, with the reason, for what qdbg does not claim."""
    node = call.node
    op = registry().get(node.op)
    if op is None:
        raise NotSimulated(f"qdbg does not know the arithmetic of {node.op}")
    if not node.repeatable:
        raise NotSimulated(UNREPEATABLE)
    if arithmetic.changes:
        return _changed(call, op, arithmetic, laid_out(op, call))
    like = likeness(call, op, arithmetic)
    before = known(call.layer, like)
    if before is not None and op.data is not None:
        values = {**before.operands, **op.data(call, before.operands)}
        own = before.stages, (), before.kernel, before.constants
        return Plan(node, op, arithmetic, values, *own)
    return _found(call, op, arithmetic, like)


def _found(call: Call, op: Op, arithmetic: Arithmetic, like: Likeness | None) -> Plan:
    values = dict(op.operands(call))
    kernel, stages = op.chosen(arithmetic, values)
    rivals: tuple[tuple[Stage, ...], ...] = ()
    if kernel is not None and kernel.doubt and op.rivals is not None:
        rivals = op.rivals(kernel, values)
    plan = Plan(call.node, op, arithmetic, values, stages, rivals, kernel)
    if op.data is not None and kernel is not None and not kernel.doubt:
        data = op.data(call, values)  # with doubt, the choice looks at it
        shared = {name: value for name, value in values.items() if name not in data}
        keep(call.layer, like, Known(kernel, stages, shared, plan.constants))
    return plan


def _changed(call: Call, op: Op, arithmetic: Arithmetic, values: dict[str, Any]) -> Plan:
    """The same with the assumptions changed that the arithmetic names."""
    made = assumptions.Plan.of(op, call, arithmetic, values)
    plan = assumptions.changed(made, arithmetic.changes)
    kernel = None if op.kernel is None else op.kernel(arithmetic, values)
    chosen = plan.kernel or kernel
    return Plan(call.node, op, arithmetic, dict(plan.values), plan.stages, (), chosen)


def simulate(call: Call, arithmetic: Arithmetic) -> Simulation:
    """Run the call's stages and keep every number. Raises NotSimulated as `planned`, and where
    PyTorch may have taken another way that leads elsewhere."""
    plan = planned(call, arithmetic)
    values = plan.values | {name: np.asarray(plan.values[name]) for name in plan.rows}
    for stage in plan.stages:
        values[stage.output] = readonly(np.asarray(stage.run(values)))
    _refuse_rivals(plan, values)
    last = values[plan.stages[-1].output]
    return Simulation(
        arithmetic,
        stages=plan.steps,
        constants={s.output: s for s in plan.stages if s.constant},
        kernel=plan.kernel,
        values=values,
        result=_as_result(plan, last.astype(_dtype(plan.node), copy=False)),
    )


def result_of(plan: Plan, room: int = ROOM) -> Array:
    """The result alone, as `Simulation.result`: part by part where the op allows it, so that
    nothing in between takes more memory than a part does. Raises NotSimulated as `simulate`."""
    rows = plan.rows
    shared, moving = _apart(plan.stages, rows)
    values, dtype = dict(plan.values), _dtype(plan.node)
    if not rows:
        return _as_result(plan, _last_of(shared, values).astype(dtype, copy=False))
    for stage in shared:
        if stage.output not in plan.constants:
            plan.constants[stage.output] = stage.run(values | plan.constants)
    values |= plan.constants
    order = _order(values[rows[0]], plan.op.inner)
    for name in rows:
        values[name] = _in_order(values[name], order)
    first = values[rows[0]]
    shape = first.shape[: len(order)]
    made: Array = np.empty(0)
    taken = {name for stage in moving for name in stage.parameters} & set(rows)
    for index in parts(shape, room // plan.width):
        part = values | {name: _cut(values[name], index) for name in taken}
        last = _last_of(moving, part, keep=bool(plan.rivals))
        _refuse_rivals(plan, part)
        if not made.size:
            made = np.empty((*shape, *last.shape[len(shape) :]), dtype)
        made[index] = last
    return _as_result(plan, _in_order(made, tuple(np.argsort(order))))


def parts(shape: tuple[int, ...], room: int) -> Iterator[tuple[slice, ...]]:
    """Slices of the axes that cut an array into parts of about `room` elements, at least one."""
    inner, axis = 1, len(shape)
    while axis and inner * shape[axis - 1] <= room:
        axis -= 1
        inner *= shape[axis]
    whole = (slice(None),) * len(shape)
    if not axis or 0 in shape:
        yield whole
        return
    size = shape[axis - 1]
    count = -(-size // max(1, room // inner))
    edges = [size * i // count for i in range(count + 1)]
    for at in np.ndindex(shape[: axis - 1]):
        before = tuple(slice(n, n + 1) for n in at)
        for start, end in pairwise(edges):
            yield (*before, slice(start, end), *whole[axis:])


def _apart(
    stages: tuple[Stage, ...], rows: tuple[str, ...]
) -> tuple[tuple[Stage, ...], tuple[Stage, ...]]:
    """The stages that are the same for all rows, and those that are not."""
    moving, shared, others = set(rows), [], []
    for stage in stages:
        if moving.isdisjoint(stage.parameters):
            shared.append(stage)
        else:
            moving.add(stage.output)
            others.append(stage)
    return tuple(shared), tuple(others)


def _last_of(stages: tuple[Stage, ...], values: dict[str, Any], *, keep: bool = False) -> Array:
    """Run the stages; what no later one needs is let go at once, unless all is to be kept: the next
    result then takes memory that the processor's cache still holds."""
    last = {name: place for place, stage in enumerate(stages) for name in stage.parameters}
    with np.errstate(all="ignore"):  # once for all of them
        for place, stage in enumerate(stages):
            values[stage.output] = stage.quietly(values)
            for name in () if keep else stage.parameters:
                if last[name] == place and name != stage.output:
                    del values[name]
    return np.asarray(values[stages[-1].output])


def _order(operand: Any, inner: int) -> tuple[int, ...]:
    """The axes of the rows from the slowest in memory to the fastest. Windows have no memory."""
    axes = operand.ndim - inner
    known = isinstance(operand, np.ndarray) and not inner
    return memory_order(operand) if known else tuple(range(axes))


def _in_order(operand: Array, order: tuple[int, ...]) -> Array:
    """The same memory with the axes of the rows in another order."""
    if order == tuple(range(len(order))) or operand.ndim < len(order):
        return operand
    return operand.transpose(*order, *range(len(order), operand.ndim))


def _cut(operand: Array, index: tuple[slice, ...]) -> Array:
    """The operand's part; an axis of length 1 stands for every place."""
    places = zip(index, operand.shape, strict=False)
    return operand[tuple(slice(None) if size == 1 else place for place, size in places)]


def _refuse_rivals(plan: Plan, values: Values) -> None:
    """Raise NotSimulated where stages that PyTorch may have taken instead lead elsewhere."""
    for stages in plan.rivals:
        same = takewhile(lambda both: both[0] is both[1], zip(plan.stages, stages, strict=False))
        other = dict(values)
        for stage in stages[len(list(same)) :]:
            other[stage.output] = stage.run(other)
        if not np.array_equal(other[stages[-1].output], values[plan.stages[-1].output]):
            library = plan.kernel.library if plan.kernel is not None else "PyTorch"
            raise NotSimulated(
                f"which of {library}'s kernels ran is not known, and they differ here"
            )


def _dtype(node: Node) -> np.dtype[Any]:
    return np.dtype(STORAGE.get(node.dtype, node.dtype))


def _as_result(plan: Plan, last: Array) -> Array:
    """In the shape of the call's result."""
    found = last.transpose(0, -1, *range(1, last.ndim - 1)) if plan.op.channels_last else last
    return readonly(found.reshape(plan.node.shape))


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
