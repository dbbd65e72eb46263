"""Whether a call of an element-wise op ran through all inputs that there are."""

from __future__ import annotations

import numpy as np

from qdbg.core.program import Node, Recording
from qdbg.core.quantity import QTensor

BYTES = 2**8
ONE = frozenset(
    {
        "add_scalar",
        "add_scalar_relu",
        "celu",
        "clamp",
        "dequantize",
        "elu",
        "gelu",
        "hardsigmoid",
        "hardswish",
        "leaky_relu",
        "mul_scalar",
        "mul_scalar_relu",
        "relu",
        "relu6",
        "sigmoid",
        "tanh",
        "threshold",
    }
)
"""Ops of which each result depends on one byte, its place, and what holds for the whole call."""
TWO = frozenset({"add", "add_relu", "mul", "mul_relu"})
"""Those of which it depends on a pair of bytes."""


def inputs_of(op: str) -> int:
    """How many different inputs an element-wise op has; 0 for other ops."""
    return BYTES if op in ONE else BYTES**2 if op in TWO else 0


def runs_through_all(recording: Recording, node: Node) -> bool:
    """Whether each of those inputs occurs among the operands of the call."""
    count = inputs_of(node.op)
    held = [recording.operand(source) for source in node.inputs]
    bytes_of = [
        operand.q.view(np.uint8).astype(np.int64)
        for operand in held
        if isinstance(operand, QTensor)
        and operand.q.dtype.itemsize == 1
        and not operand.qparams.per_channel
    ]
    if not count or len(bytes_of) != (1 if count == BYTES else 2):
        return False
    if any(each.size < BYTES for each in bytes_of):
        return False
    places = bytes_of[0] if count == BYTES else np.add(bytes_of[0] * BYTES, bytes_of[1])
    return bool(np.bincount(places.reshape(-1), minlength=count).all())
