"""Breakpoints: a place, an event, or an expression that some element satisfies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from qdbg.core.quantity import Array
from qdbg.engine.expression import Expression, parse
from qdbg.engine.scope import check_names, satisfying
from qdbg.engine.step import Step
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.places import find_place
from qdbg.stops import Flags, Mark, Stop, arrival, first_flagged

KINDS: Mapping[str, Flags] = {
    "difference": lambda step: step.different,
    "saturation": lambda step: step.cut,
    "tie": lambda step: step.ties,
}
"""The events that a breakpoint can stop at."""

_CONDITION = re.compile(r"[<>=!()+*/%&|^]|\b(and|or|not|in)\b")
"""What no place has outside its brackets."""


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """One entry of the list."""

    spot: str
    """What it stops at, as it would be typed."""
    enabled: bool = True
    hits: int | None = 0
    """How often it stopped the debugger; None where an old session does not say."""


def is_condition(text: str) -> bool:
    """Whether the text is meant as an expression, not as a place."""
    return _CONDITION.search(re.sub(r"\[[^\]]*\]", "", text)) is not None


def checked(trace: Trace, text: str) -> Expression:
    """The expression, all of whose names the run has. Raises CommandError."""
    found = parse(text)
    check_names(trace, found)
    return found


class Breakpoints:
    """The list of breakpoints, numbered from 1. At first only any difference stops the debugger."""

    def __init__(self) -> None:
        self.all: list[Breakpoint] = [Breakpoint("difference")]
        self._parsed: dict[str, Expression] = {}

    @property
    def spots(self) -> tuple[str, ...]:
        """What each stops at."""
        return tuple(one.spot for one in self.all)

    def add(self, spot: str) -> int:
        """Add one; its number."""
        self.all.append(Breakpoint(spot))
        return len(self.all)

    def remove(self, number: int) -> Breakpoint:
        """Take one off the list."""
        return self.all.pop(number - 1)

    def enable(self, number: int, *, enabled: bool) -> Breakpoint:
        """Let one stop the debugger, or not."""
        changed = replace(self.all[number - 1], enabled=enabled)
        self.all[number - 1] = changed
        return changed

    def number(self, text: str) -> int:
        """Which one is meant, by its number or by what it stops at. Raises CommandError."""
        if text in self.spots:
            return self.spots.index(text) + 1
        if text.isdecimal() and 1 <= int(text) <= len(self.all):
            return int(text)
        listed = ", ".join(f"{n} {spot}" for n, spot in enumerate(self.spots, 1))
        raise CommandError(
            f"there is no breakpoint {text!r}" if text else "which breakpoint is meant?",
            expected="its number, or what it stops at",
            remedy=f"Breakpoints: {listed or 'none'}",
        )

    def hit(self, trace: Trace, step: Step, kept: int) -> Stop | None:
        """The stop at this step, if an enabled breakpoint asks for it; it is counted."""
        for number, one in enumerate(self.all, 1):
            found = self._hit(trace, step, number, kept) if one.enabled else None
            if found is not None:
                self.all[number - 1] = replace(one, hits=(one.hits or 0) + 1)
                return found
        return None

    def _hit(self, trace: Trace, step: Step, number: int, kept: int) -> Stop | None:
        spot = self.all[number - 1].spot
        if spot in KINDS:
            return _event(step, spot, kept)
        if is_condition(spot):
            return self._condition(step, number, kept)
        place = find_place(trace, spot)
        if place is None or place.step != step.index:
            return None
        element = kept if place.element is None else place.element
        return Stop(Mark(step.index, element), arrival(step, f"breakpoint {number} at {spot}"))

    def _condition(self, step: Step, number: int, kept: int) -> Stop | None:
        spot = self.all[number - 1].spot
        if spot not in self._parsed:
            self._parsed[spot] = parse(spot)
        found = satisfying(step, self._parsed[spot])
        count = _count(found)
        if not count:
            return None
        reason = f"breakpoint {number}: {spot}, true for {count} of {step.size}"
        return first_flagged(step, found, kept, reason)


def _event(step: Step, kind: str, kept: int) -> Stop | None:
    flags = KINDS[kind](step)
    count = _count(flags)
    if not count:
        return None
    counted = f"{kind}, {count} of {step.size} lie half-way" if kind == "tie" else kind
    return first_flagged(step, flags, kept, counted)


def _count(flags: Array | None) -> int:
    return 0 if flags is None else int(np.count_nonzero(flags))
