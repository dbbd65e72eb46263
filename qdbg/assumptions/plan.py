"""Plan: how one call is going to be computed, with what can be changed about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from qdbg.assumptions.known import Known
from qdbg.core.op import Call, Kernel, NotSimulated, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values
from qdbg.core.sums import ROWS_AND_K
from qdbg.ops import registry
from qdbg.ops._kernel import weighted_stages

Stages: TypeAlias = tuple[Stage, ...]
Edit: TypeAlias = Callable[[Stages], Stages]
"""Puts other stages in the place of some."""


OF_CHANNELS = ("w_q", "w_scale", "w_zp", "b")
"""Operands with an entry for each output channel."""
WEIGHTED = frozenset(
    {"linear", "linear_relu"}
    | {
        f"conv{middle}{axes}d{relu}"
        for middle in ("", "_transpose")
        for axes in (1, 2, 3)
        for relu in ("", "_relu")
    }
)
"""Ops that are nothing but sums of products and the way back to bytes."""

JOINING = ("cat", "stack")
"""Ops that put tensors together, each with its own parameters."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One call under one arithmetic, before it is computed."""

    op: Op
    call: Call
    arithmetic: Arithmetic
    values: Values
    """The operands by symbol."""
    kernel: Kernel | None
    """Of a layer of WEIGHTED: how its sums are made, and the way back."""
    relu: bool
    """Whether a ReLU is fused."""
    whole: Values
    """The operands of the whole call as it ran: by them a library chooses its kernel."""
    edits: tuple[Edit, ...] = ()
    unchanged: Plan | None = None
    """Without the changes that the arithmetic itself names; None where it names none."""
    chosen: dict[str, Kernel | NotSimulated] = field(default_factory=dict)
    """By arithmetic the kernel that its library chooses."""

    @classmethod
    def of(cls, op: Op, call: Call, arithmetic: Arithmetic, values: Values) -> Plan:
        """The plan as the arithmetic has it. Raises NotSimulated."""
        own = op.kernel if op.name in WEIGHTED else None
        kernel = None if own is None else replace(own(arithmetic, values), doubt=())
        return cls(op, call, arithmetic, values, kernel, op.name.endswith("_relu"), values)

    def under(self, arithmetic: Arithmetic) -> Plan:
        """The plan as another arithmetic has it, without its edits. Raises NotSimulated."""
        kernel = None if self.kernel is None else replace(self.kernel_of(arithmetic), doubt=())
        relu = self.op.name.endswith("_relu")
        return replace(self, arithmetic=arithmetic, kernel=kernel, relu=relu, edits=())

    def kernel_of(self, arithmetic: Arithmetic) -> Kernel:
        """The kernel of a layer of WEIGHTED under another arithmetic. Raises NotSimulated."""
        if arithmetic.name not in self.chosen:
            assert self.op.kernel is not None  # noqa: S101 - for the type checker
            try:
                self.chosen[arithmetic.name] = self.op.kernel(arithmetic, self.whole)
            except NotSimulated as reason:
                self.chosen[arithmetic.name] = reason
        found = self.chosen[arithmetic.name]
        if isinstance(found, NotSimulated):
            raise found
        return found

    @property
    def by_multiplier(self) -> bool:
        """Whether the way back goes from v to s by one multiplier; oneDNN's goes by real values."""
        return self.kernel is not None and not self.kernel.way_back.startswith("onednn")

    @property
    def one_group(self) -> bool:
        """Whether all channels of a layer of WEIGHTED sum the same inputs."""
        x = np.asarray(self.values["x_q"])
        return x.ndim == ROWS_AND_K or x.shape[-2] == 1

    @property
    def stages(self) -> Stages:
        """What is computed, in order. Raises NotSimulated."""
        if self.kernel is not None:
            found = weighted_stages(self.kernel, self.values, relu=self.relu)
        else:
            op = registry()[self.op.name.removesuffix("_relu")] if not self.relu else self.op
            found = op.stages(self.arithmetic, self.values)
        for edit in self.edits:
            found = edit(found)
        return found

    def having(self, **values: Any) -> Plan:
        """With other operands."""
        return replace(self, values={**self.values, **values})

    def without(self, name: str) -> Plan:
        """Without an operand."""
        return replace(self, values={k: v for k, v in self.values.items() if k != name})

    def edited(self, edit: Edit) -> Plan:
        """With other stages."""
        return replace(self, edits=(*self.edits, edit))

    def with_kernel(self, **fields: Any) -> Plan:
        """With another kernel."""
        assert self.kernel is not None  # noqa: S101 - for the type checker: callers have looked
        return replace(self, kernel=replace(self.kernel, **fields))

    def has(self, *names: str) -> bool:
        """Whether all of these are operands."""
        return all(name in self.values for name in names)

    def result(self, known: Known | None = None) -> Array:
        """The last stage's numbers, in the stages' own shape. Raises NotSimulated."""
        made = dict(self.values)
        stages = self.stages
        for stage in stages:
            run = stage.run if known is None else partial(known.run, stage)
            made[stage.output] = run(made)
        return np.asarray(made[stages[-1].output])

    def some(self, rows: Array, channels: Array | None = None) -> Plan:
        """The same for a few rows of a layer's output only, and where `one_group` for some of its
        channels; kernels stay those of the whole."""
        x = np.asarray(self.values["x_q"])
        kept: dict[str, Any] = dict(self.values)
        inner = 1 if x.ndim == ROWS_AND_K else 2
        outer = x.shape[: x.ndim - inner]
        kept["x_q"] = x.reshape(-1, *x.shape[x.ndim - inner :])[rows]
        if "inside" in kept:
            inside = np.asarray(kept["inside"])
            wide = np.broadcast_to(inside, (*outer, *inside.shape[x.ndim - inner :]))
            kept["inside"] = wide.reshape(-1, *inside.shape[x.ndim - inner :])[rows]
        for name in OF_CHANNELS if channels is not None else ():
            if np.ndim(kept.get(name, 0)):
                kept[name] = np.asarray(kept[name])[channels]
        return replace(self, values=kept)


def in_place_of(stages: Stages, name: str, *others: Stage) -> Stages:
    """With `others` where the stage of that name stands; unchanged where there is none."""
    return tuple(new for stage in stages for new in (others if stage.name == name else (stage,)))


def making(stages: Stages, symbol: str) -> Stage | None:
    """The stage whose result has that symbol."""
    return next((stage for stage in stages if stage.output == symbol), None)


def after(stages: Stages, symbol: str, other: Stage) -> Stages:
    """With one more stage behind the last one that makes `symbol`. It makes `symbol` anew, of what
    is called `symbol_0` from then on."""
    at = max((i for i, stage in enumerate(stages) if stage.output == symbol), default=-1)
    if at < 0:
        return stages
    first = f"{symbol}_0"
    formula = re.sub(rf"^{symbol}\b", first, stages[at].formula)
    renamed = replace(stages[at], output=first, formula=formula)
    return (*stages[:at], renamed, other, *stages[at + 1 :])
