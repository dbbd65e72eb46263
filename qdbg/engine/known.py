"""What calls of a layer have in common: its kernel, its stages and its constants, found once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from qdbg.core.op import Call, Kernel, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.program import Layer
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage

Likeness: TypeAlias = Hashable
"""What two calls of a layer must share for everything but their data to be the same."""
FEW = 8
"""So many kinds of calls of one layer are kept: most layers have a single one."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What a call like those before it need not find again."""

    kernel: Kernel
    stages: tuple[Stage, ...]
    operands: Mapping[str, Any]
    """All that are not the call's data."""
    constants: dict[str, Array] = field(default_factory=dict)
    """Results of stages that hold for every call, as they are computed."""


_KNOWN: WeakKeyDictionary[Layer, dict[Likeness, Known]] = WeakKeyDictionary()


def likeness(call: Call, op: Op, arithmetic: Arithmetic) -> Likeness | None:
    """None for a call of which nothing is kept: of an op that does not tell its data apart, of
    weights that are operands, or under changed assumptions."""
    layer, node = call.layer, call.node
    if op.data is None or layer is None or layer.weight is None or arithmetic.changes:
        return None
    if len(call.inputs) != 1 or not isinstance(call.inputs[0], QTensor) or node.output is None:
        return None
    x, own, other = call.inputs[0].q, call.inputs[0].qparams, node.output
    if own.per_channel or other.per_channel:
        return None
    settings = tuple(node.settings.items())
    if not all(isinstance(value, int | float) for _, value in settings):
        return None
    parameters = ((float(p.scale), int(p.zero_point), p.dtype) for p in (own, other))
    return (op.name, arithmetic, x.shape, node.shape, call.threads, settings, *parameters)


def known(layer: Layer | None, like: Likeness | None) -> Known | None:
    """What calls like this one have in common, where there was one."""
    return None if layer is None or like is None else _KNOWN.get(layer, {}).get(like)


def forget() -> None:
    """Find all of it anew from now on: for who changes a rule while the program runs."""
    _KNOWN.clear()


def keep(layer: Layer | None, like: Likeness | None, found: Known) -> None:
    """Keep it as long as the layer is."""
    if layer is None or like is None:
        return
    kinds = _KNOWN.setdefault(layer, {})
    if len(kinds) >= FEW:
        kinds.clear()
    kinds[like] = found
