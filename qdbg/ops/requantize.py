"""Copy into a quantized tensor: it takes the other's integers, or quantizes float32 values."""

from __future__ import annotations

import numpy as np

from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import quantize


@stage("copy", output="y_q byte [I]", formula="y_q[i] = x_q[i]")
def copy(x_q: Array) -> Array:
    """The integers are copied, and with them their scale and zero point: nothing is rounded, even
    where the tensor had another scale before."""
    return x_q


def operands(call: Call) -> dict[str, Array]:
    """x_q, or x where float32 values are copied in. Raises NotSimulated."""
    source = call.named("src")
    if source is None:
        raise NotSimulated("its source is no tensor that qdbg records")
    if isinstance(source, QTensor):
        return {"x_q": np.broadcast_to(source.q, call.node.shape)}
    if source.dtype != np.float32:
        raise NotSimulated("its source is neither quantized nor float32")
    spread = np.broadcast_to(source, call.node.shape)
    return {"x": spread, **output_operands(call, BYTES)}


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """A copy, or what `quantize_per_tensor` does."""
    return (copy,) if "x_q" in values else quantize.stages(arithmetic, values)


EXAMPLE = Example("textbook", {"x_q": np.array([7, 255], np.uint8)}, (7, 255))

OPS = (Op("copy_into", "Copy into", operands, stages, (EXAMPLE,), ("aten::copy_",)),)
