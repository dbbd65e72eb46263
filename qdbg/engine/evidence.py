"""The proof of a cause: for each of its changes the element that it moves most, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.browse import place_of
from qdbg.engine.explain import Line, way
from qdbg.engine.step import Step
from qdbg.engine.terms import Terms, lost_outputs, terms
from qdbg.engine.trace import Trace
from qdbg.engine.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    """One element without one change of a cause, and with it; the cause's others are made."""

    change: str
    """`rounding=truncated`."""
    element: int
    """Its flat index in the stages' own shape: the one that the change moves most."""
    index: tuple[int, ...]
    place: str
    """As the element is typed, and as the tables name it: of a single row by its only axis."""
    before: float
    after: float
    told: tuple[str, str]
    """The two numbers in as many digits as tell them apart."""
    base_line: Line | None
    """The first formula whose numbers differ, without the change."""
    changed_line: Line | None
    """The same, changed."""
    terms: Terms | None
    """The saturating pairs behind the element, where they are what differs."""
    worth: float | None
    """What the pairs lost, in steps of the result."""


def with_changes(trace: Trace, names: Sequence[str]) -> Trace | None:
    """The same run with these assumptions changed; None where there is no such arithmetic."""
    name = "+".join((trace.arithmetic.name, *names))
    arithmetic = arithmetic_for(trace.recording, name)
    return None if arithmetic is None else Trace(trace.recording, arithmetic, trace.feed)


def evidence(trace: Trace, call: int, cause: Verdict) -> tuple[Evidence, ...]:
    """For each change of a cause the element that it moves most."""
    whole = with_changes(trace, cause.names)
    if whole is None:
        return ()
    found = []
    for change in cause.names:
        others = [name for name in cause.names if name != change]
        without = with_changes(trace, others) if others else trace
        held = None if without is None else _moved(without, whole, call, change)
        if held is not None:
            found.append(held)
    return tuple(found)


def _moved(without: Trace, whole: Trace, call: int, change: str) -> Evidence | None:
    before, after = without.result_step(call), whole.result_step(call)
    if before.simulated is None or after.simulated is None or before.shape != after.shape:
        return None
    moved = np.abs(after.simulated.astype(np.float64) - before.simulated.astype(np.float64))
    element = int(np.argmax(moved))
    lines = _first_difference(way(before, element), way(after, element))
    found = _pairs(before, after, element)
    worth = None if found is None else lost_outputs(after, element, found)
    one, other = before.simulated.flat[element], after.simulated.flat[element]
    return Evidence(
        change,
        element,
        before.index_of(element),
        place_of(before, element),
        one.item(),
        other.item(),
        (str(one), str(other)),
        *lines,
        found,
        worth,
    )


def _first_difference(
    base: Sequence[Line], other: Sequence[Line]
) -> tuple[Line | None, Line | None]:
    """The first formula that is not the same in both, each with its numbers: one of the element's
    own before one that all elements share."""
    known = {_plain(line) for line in base}
    fresh = [line for line in other if _plain(line) not in known]
    if not fresh:
        return None, None
    new = min(fresh, key=lambda line: "[" not in line.symbols.partition(" = ")[0])
    held = {_plain(line) for line in other}
    left = [line for line in base if _plain(line) not in held]
    same = (line for line in left if _symbol(line) == _symbol(new))
    return next(same, left[0] if left else None), new


def _plain(line: Line) -> str:
    """The numbers; a symbol that is made anew later is still the same."""
    return line.numbers.replace("_0", "")


def _symbol(line: Line) -> str:
    return line.symbols.partition("[")[0].partition(" = ")[0]


def _pairs(before: Step, after: Step, element: int) -> Terms | None:
    """The pairs of the side that saturates, where the sums are not the same."""
    made, other = before.simulation, after.simulation
    if made is None or other is None or made.kernel is None or other.kernel is None:
        return None
    if made.kernel.accumulator == other.kernel.accumulator:
        return None
    found = terms(after if other.kernel.accumulator == "pairs" else before, element)
    return found if found is not None and found.saturating else None
