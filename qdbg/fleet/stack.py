"""One call of many runs: simulated together where that is the same, else one by one.

Together means that what a run has of its own is laid side by side, and everything else (places in
vectors, kernels, multipliers) is taken from one run: each result is that of a run by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from qdbg.core.op import Call, NotSimulated, Op, Operand, laid_out
from qdbg.core.presets import Arithmetic
from qdbg.core.program import Layer, Node
from qdbg.core.quantity import STORAGE, Array, QParams, QTensor, readonly
from qdbg.core.stage import Stage
from qdbg.engine.simulate import UNREPEATABLE
from qdbg.ops import registry
from qdbg.ops.moves import OPS as MOVES

Reasons: TypeAlias = Mapping[int, str]
"""Runs that are not simulated, and why."""
ROWS = 2**26
"""Bytes of operands that are simulated at a time: float64 copies of them are made."""
MERGED = frozenset({"linear", "linear_relu"})
"""Ops on rows: those of all runs are one longer list of rows."""
IMAGES = frozenset({f"conv{axes}d{relu}" for axes in (1, 2, 3) for relu in ("", "_relu")})
"""Ops on images, of which those of all runs are one longer list."""
POOLS = frozenset({f"{kind}_pool{n}d" for n in (2, 3) for kind in ("max", "avg", "adaptive_avg")})
ELEMENTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("quantize",), ("x",)),
    **dict.fromkeys(("dequantize", "relu", "relu6", "clamp", "identity", "cat"), ("x_q",)),
    **dict.fromkeys(("add", "add_relu", "mul", "mul_relu"), ("a_q", "b_q")),
}
"""Ops on elements, with the symbols of their data; the formula of an element depends on its place
in its own run alone."""
MOVED = frozenset(op.name for op in MOVES)
FIXED = frozenset({"weight", "bias"})
"""Names of operands that are the model's own."""
LEAST = 2
"""Axes of an operand whose first one can be made longer."""


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """An operand in several runs."""

    value: Array
    """[n, …], or the operand itself where it is the same in all of them."""
    qparams: QParams | None
    strides: tuple[int, ...] | None
    """Of one run."""
    shared: bool

    def of(self, run: int) -> Operand:
        """The operand of one run."""
        return self._operand(self.value if self.shared else self.value[run])

    def merged(self, chosen: slice, count: int) -> Operand:
        """Those of `count` runs one after the other along the first axis."""
        if self.shared:
            return self._operand(np.concatenate([self.value] * count))
        value = self.value[chosen]
        return self._operand(value.reshape(-1, *value.shape[2:]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one run."""
        return self.value.shape if self.shared else self.value.shape[1:]

    def _operand(self, value: Array) -> Operand:
        return value if self.qparams is None else QTensor(value, self.qparams, self.strides)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What a call gives in every run, under one arithmetic."""

    values: Array
    """[n, …]; where a run is not simulated, zeros."""
    reasons: Reasons


@dataclass(slots=True, eq=False)
class Job:
    """A call of many runs with its operands; results under several arithmetics are kept."""

    node: Node
    layer: Layer | None
    operands: tuple[Stacked, ...]
    runs: int
    threads: int = 1
    _single: dict[str, Array] | None = None
    _made: dict[object, Array] = field(default_factory=dict)

    def call(self, run: int) -> Call:
        """The call of one run."""
        return Call(self.node, self.layer, tuple(o.of(run) for o in self.operands), self.threads)

    @property
    def op(self) -> Op:
        """What simulates the call. Raises NotSimulated where nothing does."""
        op = registry().get(self.node.op)
        if op is None:
            raise NotSimulated(f"qdbg does not know the arithmetic of {self.node.op}")
        if not self.node.repeatable:
            raise NotSimulated(UNREPEATABLE)
        return op

    @property
    def single(self) -> dict[str, Array]:
        """The operands of the first run by symbol. Raises NotSimulated."""
        if self._single is None:
            self._single = laid_out(self.op, self.call(0))
        return self._single

    def under(self, arithmetics: Sequence[Arithmetic]) -> list[Made]:
        """The results of all runs under each arithmetic."""
        found: dict[int, Made] = {}
        for place, arithmetic in enumerate(arithmetics):
            with contextlib.suppress(NotSimulated):  # perhaps only some of the runs are not
                together = self._together(arithmetic)
                if together is not None:
                    found[place] = Made(together, {})
        left = [place for place in range(len(arithmetics)) if place not in found]
        found |= zip(left, self._one_by_one([arithmetics[p] for p in left]), strict=True)
        return [found[place] for place in range(len(arithmetics))]

    # ----------------------------------------------------------------------- one by one

    def _one_by_one(self, arithmetics: Sequence[Arithmetic]) -> list[Made]:
        shape = (len(arithmetics), self.runs, *self.node.shape)
        values = np.zeros(shape, STORAGE.get(self.node.dtype, self.node.dtype))
        reasons: list[dict[int, str]] = [{} for _ in arithmetics]
        for run in range(self.runs if arithmetics else 0):
            for place, result in enumerate(self._one(run, arithmetics)):
                if isinstance(result, NotSimulated):
                    reasons[place][run] = str(result)
                else:
                    values[place, run] = result
        return [Made(readonly(v), r) for v, r in zip(values, reasons, strict=True)]

    def _one(self, run: int, arithmetics: Sequence[Arithmetic]) -> list[Array | NotSimulated]:
        """The results of one run; arithmetics that take the same stages share them."""
        try:
            op = self.op
            operands = laid_out(op, self.call(run))
        except NotSimulated as reason:
            return [reason] * len(arithmetics)
        made: dict[tuple[Stage, ...], Array] = {}
        found: list[Array | NotSimulated] = []
        for arithmetic in arithmetics:
            try:
                stages = op.stages(arithmetic, operands)
                if stages not in made:
                    made[stages] = self._run(op, stages, dict(operands), 1)[0]
                found.append(made[stages])
            except NotSimulated as reason:
                found.append(reason)
        return found

    # --------------------------------------------------------------------- side by side

    @property
    def symbols(self) -> tuple[str, ...]:
        """Of the data that runs have of their own; empty where they cannot be laid side by side."""
        data = [o for o, own in zip(self.operands, self._own(), strict=True) if not own]
        shapes = [operand.shape for operand in data]
        channels = any(o.qparams is not None and o.qparams.per_channel for o in data)
        if channels or not shapes or len(shapes[0]) < LEAST:
            return ()
        if any(len(s) != len(shapes[0]) or s[0] != shapes[0][0] for s in shapes):
            return ()  # one of them is repeated along an axis
        if self.node.op in MOVED:
            return ("x_q",)
        rows = self.node.shape[:1] == shapes[0][:1]
        return self._symbols(len(shapes[0])) if rows else ()

    def _own(self) -> list[bool]:
        """Which operands are the model's own: weights and biases that are the same in all runs."""
        names = (*self.node.names, *([""] * len(self.operands)))
        pairs = zip(self.operands, names, strict=False)
        return [operand.shared and name in FIXED for operand, name in pairs]

    def _symbols(self, axes: int) -> tuple[str, ...]:
        op = self.node.op
        if op in MERGED | IMAGES:
            return ("x_q",)
        if op in POOLS:
            return ("window",) if axes == int(op[-2]) + LEAST else ()
        if op == "cat" and int(str(self.node.settings.get("dim", 0))) % axes == 0:
            return ()
        return ELEMENTS.get(op, ())

    def _together(self, arithmetic: Arithmetic) -> Array | None:
        """[n, …], or None where runs cannot be laid side by side. Raises NotSimulated."""
        op, symbols = self.op, self.symbols
        if self.runs < LEAST or not symbols:
            return None
        single = self.single
        kernel, stages = op.chosen(arithmetic, single)
        if kernel is not None and kernel.doubt:
            return None  # the choice looks at the numbers
        if stages not in self._made:
            parts = [self._run(op, stages, values, n) for values, n in self.portions()]
            self._made[stages] = readonly(np.concatenate(parts))
        return self._made[stages]

    def portions(self) -> Iterator[tuple[dict[str, Array], int]]:
        """The operands of some runs at a time by symbol, and how many runs they are. Raises
        NotSimulated."""
        size = max(self.single[symbol].size for symbol in self.symbols) * 8
        step = max(1, ROWS // max(1, size))
        for start in range(0, self.runs, step):
            count = min(step, self.runs - start)
            yield self.single | self._side_by_side(slice(start, start + count), count), count

    def _side_by_side(self, chosen: slice, count: int) -> dict[str, Array]:
        single, op = self.single, self.op
        inputs = tuple(
            operand.of(0) if own else operand.merged(chosen, count)
            for operand, own in zip(self.operands, self._own(), strict=True)
        )
        if self.node.op in MOVED:
            (x,) = (i.q if isinstance(i, QTensor) else i for i in inputs[:1])
            return {"x_q": x.reshape(count, *single["x_q"].shape)}
        shape = (count * self.node.shape[0], *self.node.shape[1:])
        call = Call(replace(self.node, shape=shape), self.layer, inputs, self.threads)
        found = laid_out(op, call)
        if self.node.op in MERGED | IMAGES:
            return {symbol: found[symbol] for symbol in self.symbols}
        return {s: found[s].reshape(count, *single[s].shape) for s in self.symbols}

    def _run(self, op: Op, stages: tuple[Stage, ...], own: dict[str, Array], count: int) -> Array:
        """[count, …] from the operands `own`, to which every stage's result is added."""
        dtype = np.dtype(STORAGE.get(self.node.dtype, self.node.dtype))
        if self.node.op in MOVED:
            moved = own["x_q"].reshape(count, -1)[:, own["source"].reshape(-1)]
            return moved.reshape(count, *self.node.shape).astype(dtype)
        for stage in stages:
            own[stage.output] = readonly(np.asarray(stage.run(own)))
        last = own[stages[-1].output]
        if op.channels_last:
            last = np.moveaxis(last, -1, 1)
        return last.reshape(count, *self.node.shape).astype(dtype)
