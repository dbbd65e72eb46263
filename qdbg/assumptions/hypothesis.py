"""Hypothesis: one changed assumption about a call's arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from qdbg.assumptions.plan import Plan

Variants: TypeAlias = Iterable[tuple[str, Plan]]
"""Each way in which the assumption can be changed: a short name (empty where there is only one)
and the changed plan; none where the call does not make the assumption."""

ASSUMPTIONS = (
    *("own change", "comparison", "input bytes", "parameters", "relu", "clamp"),
    *("input zero point", "weight zero point", "output zero point", "padding"),
    *("bias", "accumulator", "layout", "scales", "operands"),
    *("rounding", "zero point order", "multiplier", "requantization", "position", "engine"),
)
"""What can be assumed, cheap checks first. Two hypotheses about the same assumption exclude each
other, but for OWN."""
OWN = ASSUMPTIONS[0]
"""That a change which the simulated arithmetic makes itself is right: several can be wrong."""
TAKEN_BACK = "taken-back"
"""The id of the hypothesis about it; its variants are those changes."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One changed assumption."""

    id: str
    """Stable, `pair-saturation`."""
    assumption: str
    """One of ASSUMPTIONS."""
    title: str
    """One line: what is different."""
    source: str
    """Where this is known from."""
    advice: str
    """What to change, and where."""
    change: Callable[[Plan], Variants]
    weight: int = 1
    """How many assumptions it changes at once: sets of hypotheses are compared by their sum."""
    moves: bool = False
    """It moves numbers between rows or channels: it is made first, of the whole call."""


def named(id_: str, variant: str) -> str:
    """`rounding=truncated`."""
    return f"{id_}={variant}" if variant else id_
