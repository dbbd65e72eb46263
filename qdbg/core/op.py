"""Op: a few stages, and how the operands of one call get the names that the formulas use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from qdbg.core.presets import Arithmetic
from qdbg.core.program import Layer, Node
from qdbg.core.quantity import Array, QParams, QTensor
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


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call with its operands at hand."""

    node: Node
    layer: Layer | None
    """The layer that made the call, where the file has it."""
    inputs: tuple[Operand, ...]
    """In the order of `Node.inputs`."""
    threads: int = 1
    """How many threads the kernel could use."""
    others: Callable[[], tuple[tuple[str, QParams], ...]] = tuple
    """The parameters of other calls' results, by the calls' names; asked for by few."""

    def named(self, name: str) -> Operand | None:
        """The tensor operand of the dispatcher's name, or None."""
        found = (x for x, n in zip(self.inputs, self.node.names, strict=False) if n == name)
        return next(found, None)

    def setting(self, name: str, otherwise: Any = None) -> Any:
        """An argument that is no tensor."""
        return self.node.settings.get(name, otherwise)


@dataclass(frozen=True, slots=True)
class Kernel:
    """Who makes a layer's sums of products, how, and what follows."""

    library: str
    """`FBGEMM`, `oneDNN`, `QNNPACK`, or `by hand`."""
    accumulator: str
    """`exact`, or `pairs` (int16-saturating pairs)."""
    block: int
    """Pairs start anew after this many inputs; 0: they never do."""
    way_back: str
    """As `Arithmetic.way_back`."""
    why: str
    """Why this library and kernel compute the call, in plain words."""
    skips_padding: bool = False
    """The kernel leaves padded positions out instead of multiplying the zero point there."""
    doubt: tuple[str, ...] = ()
    """Other ways back that the library may have taken: a claim needs all to agree."""
    quantize: str = "fused"
    """As `Arithmetic.quantize`, of a dynamic layer's input that ATen quantizes."""


@dataclass(frozen=True, slots=True)
class Op:
    """One operator: the only place that knows its arithmetic."""

    name: str
    title: str
    """For people: `Linear + ReLU`."""
    operands: Callable[[Call], dict[str, Array]]
    """The call's operands by symbol. Raises NotSimulated for what the op does not claim."""
    made_by: Callable[[Any, Values], tuple[Stage, ...]]
    """The stages of a Kernel where the op has one, else of an Arithmetic, in order; constants
    before the stage that needs them."""
    examples: tuple[Example, ...]
    calls: tuple[str, ...] = ()
    """The dispatcher's names of the calls that this op simulates: `quantized::linear`."""
    kernel: Callable[[Arithmetic, Values], Kernel] | None = None
    """Of an op that sums products of `x_q` and `w_q`: the drill-down lists them."""
    channels_last: bool = False
    """The stages' arrays have the channels on their last axis, the call's result on axis 1."""
    axes: str = ""
    """The letters of the stages' axes, but for the last one: `nhw`; empty for any."""
    rows: tuple[str, ...] = ()
    """Operands with as many rows as the result, each of which needs only its own: the call can be
    simulated part by part. Empty for an op whose elements depend on all of an operand."""
    inner: int = 0
    """How many axes of the first of these lie inside a row: groups and k of a convolution."""
    data: Callable[[Call, Values], dict[str, Any]] | None = None
    """Of an op with a layer: the operands that a call has of its own, where the others are those of
    a call like it."""
    image: bool = True
    """Whether a result of three axes or more can be an image, or a line of samples."""
    rivals: Callable[[Kernel, Values], tuple[tuple[Stage, ...], ...]] | None = None
    """Other stages that the library may have taken: a claim needs all to agree."""

    def chosen(
        self, arithmetic: Arithmetic, values: Values
    ) -> tuple[Kernel | None, tuple[Stage, ...]]:
        """Who makes the sums under an arithmetic, and what is done. Raises NotSimulated."""
        if self.kernel is None:
            return None, self.made_by(arithmetic, values)
        kernel = self.kernel(arithmetic, values)
        return kernel, self.made_by(kernel, values)

    def stages(self, arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
        """What the arithmetic does. Raises NotSimulated."""
        return self.chosen(arithmetic, values)[1]


def laid_out(op: Op, call: Call) -> dict[str, Array]:
    """The call's operands by symbol, all of them laid out in memory: a convolution's are views of
    the image else. Raises NotSimulated."""
    values = op.operands(call)
    return values | {name: np.asarray(values[name]) for name in op.rows if name in values}


QUINT8 = ("quint8",)
BYTES = ("quint8", "qint8")


def quantized_operand(call: Call, place: int = 0, dtypes: tuple[str, ...] = QUINT8) -> QTensor:
    """A quantized operand with one scale, of one of the dtypes. Raises NotSimulated."""
    if len(call.inputs) <= place:
        raise NotSimulated(f"it has {len(call.inputs)} tensor operands, more are expected")
    operand = call.inputs[place]
    if not isinstance(operand, QTensor):
        raise NotSimulated("its operand is not quantized")
    if operand.qparams.dtype not in dtypes:
        claimed = " and ".join(dtypes)
        raise NotSimulated(f"its operand is {operand.qparams.dtype}; only {claimed} is claimed")
    if operand.qparams.per_channel:
        raise NotSimulated("its operand has one scale per channel")
    return operand


def real_operand(call: Call) -> Array:
    """The only operand, a float32 tensor. Raises NotSimulated."""
    if len(call.inputs) != 1 or isinstance(call.inputs[0], QTensor):
        raise NotSimulated("its operand is not one float32 tensor")
    return call.inputs[0]


def output_operands(call: Call, dtypes: tuple[str, ...] = QUINT8) -> dict[str, Array]:
    """y_scale, y_zp, qmin and qmax of the call's quantized result. Raises NotSimulated."""
    output = call.node.output
    if output is None or output.dtype not in dtypes or output.per_channel:
        claimed = " and ".join(dtypes)
        raise NotSimulated(
            f"its result is {call.node.dtype}; only {claimed} with one scale is claimed"
        )
    return {
        "y_scale": output.scale,
        "y_zp": output.zero_point,
        "qmin": np.array(output.qmin, np.int64),
        "qmax": np.array(output.qmax, np.int64),
    }


def layer_weight(call: Call) -> QTensor:
    """The int8 weight of the call's layer, or the one it was given. Raises NotSimulated."""
    held = call.layer.weight if call.layer is not None else None
    weight = held if held is not None else call.named("weight")
    if not isinstance(weight, QTensor):
        raise NotSimulated("its weights are not those of a layer in the model file")
    if weight.qparams.dtype != "qint8":
        raise NotSimulated(f"its weights are {weight.qparams.dtype}; only qint8 is claimed")
    return weight


def layer_bias(call: Call) -> Array | None:
    """The float32 bias of the call's layer, or the one it was given; None where it has none."""
    if call.layer is not None and call.layer.weight is not None:
        return call.layer.bias
    bias = call.named("bias")
    return None if isinstance(bias, QTensor) else bias
