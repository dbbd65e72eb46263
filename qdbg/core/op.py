"""Op: a few stages, and how the operands of one call get the names that the formulas use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from qdbg.core.arithmetic import Arithmetic
from qdbg.core.program import Layer, Node
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage, Values

Operand: TypeAlias = QTensor | Array
"""What one call hands to the next: integers with parameters, or float32."""


class NotSimulated(Exception):
    """A call that qdbg records but does not claim; the text is the reason, in plain words."""


@dataclass(frozen=True, slots=True)
class Example:
    """A call small enough to check by hand."""

    arithmetic: str
    operands: Mapping[str, object]
    expected: tuple[float, ...]
    """The result's numbers, flat."""


@dataclass(frozen=True, slots=True)
class Op:
    """One operator: the only place that knows its arithmetic."""

    name: str
    title: str
    """For people: `Linear + ReLU`."""
    operands: Callable[[Node, Layer | None, tuple[Operand, ...]], dict[str, Array]]
    """The call's operands by symbol. Raises NotSimulated for what the op does not claim."""
    stages: Callable[[Arithmetic, Values], tuple[Stage, ...]]
    """What the arithmetic does, in order; constants before the stage that needs them."""
    examples: tuple[Example, ...]
    products: bool = False
    """The drill-down lists the products of `x_q` and `w_q` behind an element."""


def quantized_operand(inputs: tuple[Operand, ...]) -> QTensor:
    """The only operand, a quint8 tensor with one scale. Raises NotSimulated."""
    if len(inputs) != 1:
        raise NotSimulated(f"it has {len(inputs)} tensor operands where one is known")
    operand = inputs[0]
    if not isinstance(operand, QTensor):
        raise NotSimulated("its operand is not quantized")
    if operand.qparams.dtype != "quint8":
        raise NotSimulated(f"its operand is {operand.qparams.dtype}; only quint8 is claimed")
    if operand.qparams.per_channel:
        raise NotSimulated("its operand has one scale per channel")
    return operand


def real_operand(inputs: tuple[Operand, ...]) -> Array:
    """The only operand, a float32 tensor. Raises NotSimulated."""
    if len(inputs) != 1 or isinstance(inputs[0], QTensor):
        raise NotSimulated("its operand is not one float32 tensor")
    return inputs[0]


def output_operands(node: Node) -> dict[str, Array]:
    """y_scale, y_zp, qmin and qmax of the call's quint8 result. Raises NotSimulated."""
    if node.output is None or node.output.dtype != "quint8" or node.output.per_channel:
        raise NotSimulated(f"its result is {node.dtype}; only quint8 with one scale is claimed")
    return {
        "y_scale": node.output.scale,
        "y_zp": node.output.zero_point,
        "qmin": np.array(node.output.qmin, np.int64),
        "qmax": np.array(node.output.qmax, np.int64),
    }


def layer_weight(layer: Layer | None) -> QTensor:
    """The int8 weight of the call's layer. Raises NotSimulated where the file has none."""
    if layer is None or layer.weight is None:
        raise NotSimulated("its weights are not those of a layer in the model file")
    if layer.weight.qparams.dtype != "qint8":
        raise NotSimulated(f"its weights are {layer.weight.qparams.dtype}; only qint8 is claimed")
    return layer.weight
