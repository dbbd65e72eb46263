"""Child only: what is known of an op of the dispatcher whatever it is called with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from qdbg.ops import names_of_calls

CHOOSING = "quantized::conv"
"""Calls whose kernel depends on more than the CPU level."""
OVERWRITES = "quantized::conv2d_add"
"""Calls that write over an operand where its memory is in the order that suits them, though their
schema does not say so."""


@dataclass(frozen=True, slots=True)
class Called:
    """An op of the dispatcher."""

    name: str
    """`quantized::conv2d.new`."""
    op: str
    quantizes: bool
    chooses: bool
    """Its kernel depends on more than the CPU level."""
    writes: bool

    @classmethod
    @cache
    def of(cls, func: Any) -> Called:
        """Asked once: torch makes the names anew each time."""
        name, known = func.name(), names_of_calls()
        schema = name.partition(".")[0]
        op = known.get(name) or known.get(schema, schema.replace("::", "."))
        quantizes = op.startswith("quantize")
        return cls(name, op, quantizes, schema.startswith(CHOOSING), overwrites(func))


@cache
def overwrites(func: Any) -> bool:
    """Whether the op writes over one of its operands."""
    return bool(func._schema.is_mutable) or func.name().startswith(OVERWRITES)
