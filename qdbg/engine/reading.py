"""How the integers of a table are read: in which base, and as which real values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qdbg.core.quantity import Array, QTensor
from qdbg.engine.filled import number
from qdbg.engine.step import Step

BASES = ("decimal", "hex", "binary", "two's complement")
"""The last shows what a register holds: a byte's 8 bits, the 8 hex digits of an int32."""
VALUES = ("integers", "real values", "both")
"""What is shown of integers that stand for real values: real = scale·(q − zero_point)."""
BOTH = VALUES[2]
BYTE, WORD = 8, 32


@dataclass(frozen=True, slots=True)
class Reading:
    """The user's choice."""

    base: str = BASES[0]
    values: str = VALUES[0]

    def text(self, value: object, bits: int) -> str:
        """An integer of so many bits in the base; other numbers as they are."""
        if self.base == BASES[0] or not isinstance(value, np.integer | int):
            return number(value)
        whole = int(value)
        if self.base == "hex":
            return hex(whole)
        if self.base == "binary":
            return bin(whole)
        held = whole & ((1 << bits) - 1)
        return f"{held:0{bits}b}" if bits == BYTE else f"{held:0{bits // 4}x}"


PLAIN = Reading()
"""Decimal integers."""


def after(choices: tuple[str, ...], now: str) -> str:
    """The next of the choices, the first one after the last."""
    return choices[(choices.index(now) + 1) % len(choices)]


def bits_of(step: Step, title: str, values: Array) -> int:
    """How many bits the kernel holds a column's integers in."""
    byte = step.stage is not None and step.stage.form.startswith("byte")
    if values.dtype.itemsize == 1 or (byte and title == getattr(step.stage, "output", "")):
        return BYTE
    wide = values.size and (values.min() < -(2**31) or values.max() >= 2**31)
    return 2 * WORD if wide else WORD


def real_of(step: Step, title: str, values: Array) -> Array | None:
    """The real values of a column's integers; None where nothing says what they stand for."""
    symbol = title.partition("[")[0]
    result = step.captured is not None and symbol in {
        *("captured", "original", "golden"),
        *(() if step.stage is None else (step.stage.output,)),
    }
    if values.dtype.kind not in "iu":
        return None
    if result:
        params = step.node.output
        if params is None or params.per_channel:
            return None
        return QTensor(values, params).real()
    made = {} if step.simulation is None else step.simulation.values
    name = symbol.removesuffix("_q")
    if name == symbol or not {f"{name}_scale", f"{name}_zp"} <= made.keys():
        return None
    scale, zero_point = np.asarray(made[f"{name}_scale"]), np.asarray(made[f"{name}_zp"])
    if scale.ndim or zero_point.ndim:
        return None
    return np.asarray(scale * (values.astype(np.int64) - zero_point))
