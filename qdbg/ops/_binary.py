"""Two quantized operands, element by element: broadcasting and vector blocks."""

from __future__ import annotations

import numpy as np

from qdbg.core.op import BYTES, Call, NotSimulated, output_operands, quantized_operand
from qdbg.core.quantity import Array, QTensor
from qdbg.ops._elementwise import BLOCK
from qdbg.ops._lanes import block_lanes, is_row_major, row_major, strides_of
from qdbg.ops._pool import dense_channels_last, in_channels_last

OPERANDS = 2
ALIKE = "alike"
"""The bool operand that tells whether both tensors lie in memory in the first one's order."""
ROWS = ("a_q", "b_q", BLOCK)
"""The operands that have an element for each one of the result."""


def operands(call: Call) -> dict[str, Array]:
    """a_q and b_q in the shape of the result, their parameters and the result's, and which
    elements lie in whole vector blocks. Raises NotSimulated."""
    if call.named("out") is not None:
        raise NotSimulated("it writes into a tensor that it was given")
    if len(call.inputs) != OPERANDS:
        raise NotSimulated(f"it has {len(call.inputs)} tensor operands, two are expected")
    a, b = quantized_operand(call, 0, BYTES), quantized_operand(call, 1, BYTES)
    shape = np.broadcast_shapes(a.q.shape, b.q.shape)
    if tuple(shape) != call.node.shape:
        raise NotSimulated("its result does not have the shape of its operands taken together")
    out = call.node.strides or row_major(call.node.shape)
    strides = [out, broadcast_strides(a, shape), broadcast_strides(b, shape)]
    return {
        "a_q": np.broadcast_to(a.q, shape),
        "a_scale": a.qparams.scale,
        "a_zp": a.qparams.zero_point,
        "b_q": np.broadcast_to(b.q, shape),
        "b_scale": b.qparams.scale,
        "b_zp": b.qparams.zero_point,
        **output_operands(call, BYTES),
        BLOCK: block_lanes(shape, strides, call.threads),
        ALIKE: np.array(alike(a, b)),
    }


def alike(a: QTensor, b: QTensor) -> bool:
    """Whether the elements of both lie in memory one after the other, in the order that PyTorch
    takes the first one's to be."""
    if in_channels_last(a.q.shape, a.strides):
        return all(dense_channels_last(x.q.shape, x.strides) for x in (a, b))
    return is_row_major(a) and is_row_major(b)


def broadcast_strides(tensor: QTensor, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides with which a kernel walks the tensor in a larger shape: 0 where it repeats."""
    new = len(shape) - tensor.q.ndim
    own = strides_of(tensor)
    repeated = [tensor.q.shape[i] != shape[new + i] for i in range(tensor.q.ndim)]
    kept = (0 if again else stride for again, stride in zip(repeated, own, strict=True))
    return (*(0 for _ in range(new)), *kept)


def same_shapes(call: Call) -> bool:
    """Whether nothing is repeated."""
    first, second = call.inputs[:OPERANDS]
    return (
        isinstance(first, QTensor)
        and isinstance(second, QTensor)
        and (first.q.shape == second.q.shape)
    )
