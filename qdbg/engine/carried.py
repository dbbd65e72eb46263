"""Which element of a call's inputs each element of its operands is.

An op lays its inputs out as its formulas need them: as windows, rows, pieces put together. It does
the same here with numbers that stand for places in place of the values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from qdbg.core.op import Call, NotSimulated, Operand
from qdbg.core.quantity import Array, QTensor, entries
from qdbg.engine.trace import Trace
from qdbg.ops import registry

FEW, MANY = 2**22, 2**40
"""Places are counted from here, so that no zero point or setting looks like one; from the smaller
number where float32 then holds them all."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The places of a call's inputs among its operands."""

    operands: dict[str, Array]
    """By symbol, in the operand's shape; what holds no input is as it was."""
    starts: tuple[int, ...]
    """Per input the number of its first place, and behind the last one the end."""

    def of(self, name: str, at: Array, own: Array) -> tuple[Array, Array] | None:
        """Of some elements of an operand (flat indices; their own values are `own`) the inputs
        they are from, −1 where from none, and their flat indices there. None for an operand that
        holds no input: it is as it was."""
        operand = np.asarray(self.operands[name])
        places = entries(operand, at)
        if operand.dtype == own.dtype and not np.any(places >= self.starts[0]):
            return None
        source = np.searchsorted(self.starts, places, side="right") - 1
        inside = (source >= 0) & (source < len(self.starts) - 1)
        source = np.where(inside, source, -1)
        return source, np.where(inside, places - np.take(self.starts, source), 0).astype(np.int64)


def carried(trace: Trace, call: int) -> Carried | None:
    """The call's operands, laid out with places; None where the op computes with them first."""
    try:
        made = trace.call(call)
        inputs, starts = _places(made)
        return Carried(registry()[made.node.op].operands(replace(made, inputs=inputs)), starts)
    except (NotSimulated, ValueError, TypeError, IndexError, OverflowError):
        return None


def _places(call: Call) -> tuple[tuple[Operand, ...], tuple[int, ...]]:
    sizes = [_numbers(operand).size for operand in call.inputs]
    start = FEW if sum(sizes) <= FEW else MANY
    inputs: list[Operand] = []
    starts = [start]
    for operand, size in zip(call.inputs, sizes, strict=True):
        numbers = np.arange(starts[-1], starts[-1] + size).reshape(_numbers(operand).shape)
        if isinstance(operand, QTensor):
            inputs.append(replace(operand, q=numbers))
        else:
            inputs.append(numbers.astype(np.float32 if start == FEW else np.float64))
        starts.append(starts[-1] + size)
    return tuple(inputs), tuple(starts)


def _numbers(operand: Operand) -> Array:
    return operand.q if isinstance(operand, QTensor) else operand
