"""Where the debugger can stop, and why: pure functions over a trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from qdbg.core.quantity import Array
from qdbg.engine.filled import number
from qdbg.engine.step import Step
from qdbg.engine.trace import Trace

Flags: TypeAlias = Callable[[Step], Array | None]
"""Which elements of a step are looked for: bool or codes, None for none."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """An ordered point in the run."""

    step: int
    element: int
    """Flat index in the step's shape."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the debugger stands, and why it stopped there."""

    mark: Mark
    reason: str


def arrival(step: Step, reason: str) -> str:
    """The reason, with what is to be seen at the step."""
    facts = [reason]
    if step.reason:
        facts.append(f"not simulated: {step.reason}")
    if step.differences:
        facts.append(f"{step.differences} of {step.size} differ")
    if step.saturations:
        facts.append(f"{step.saturations} of {step.size} saturate")
    return ", ".join(facts)


def flagged(flags: Array | None) -> Array:
    """The flat indices of the flagged elements."""
    return np.flatnonzero(flags) if flags is not None else np.empty(0, np.int64)


def first_flagged(step: Step, flags: Array | None, kept: int, reason: str) -> Stop:
    """Arrive at the step: at the element `kept` if it is flagged, else at the first that is."""
    found = flagged(flags)
    element = int(found[0]) if found.size and kept not in found else kept
    return Stop(Mark(step.index, element), arrival(step, reason))


def seek(trace: Trace, here: Mark, flags: Flags, what: str, *, forward: bool) -> Stop | None:
    """The nearest flagged element after (before) `here`, in its step and then beyond."""
    steps = range(here.step, len(trace)) if forward else range(here.step, -1, -1)
    for index in steps:
        step = trace.step(index)
        found = flags(step)
        if found is None:
            continue
        flat = found.ravel()
        first, last = 0, flat.size
        if index == here.step:
            first, last = (here.element + 1, last) if forward else (0, here.element)
        element = nearest(flat[first:last], forward=forward)
        if element is not None:
            return Stop(Mark(index, first + element), arrival(step, what))
    return None


def nearest(flags: Array, *, forward: bool) -> int | None:
    """The first flagged place, or the last; looks no further than that."""
    wanted = flags if forward else flags[::-1]
    place = int((wanted != 0).argmax()) if wanted.size else 0
    if not wanted.size or not wanted[place]:
        return None
    return place if forward else flags.size - 1 - place


def largest_difference(step: Step) -> Stop | None:
    """The element of this step whose |Δ| is largest; None where nothing differs."""
    element = step.largest
    if element is None or step.delta is None:
        return None
    size = number(np.abs(step.delta.flat[element]))
    return Stop(Mark(step.index, element), arrival(step, f"largest |Δ| here: {size}"))
