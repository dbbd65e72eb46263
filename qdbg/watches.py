"""Watches: an element or an expression, with its values at the stages and layers passed so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qdbg.breakpoints import checked
from qdbg.core.words import counted
from qdbg.engine.browse import axes_of
from qdbg.engine.compare import delta
from qdbg.engine.expression import Expression, parse
from qdbg.engine.filled import number
from qdbg.engine.scope import value_at
from qdbg.engine.step import Step
from qdbg.engine.table import signed
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.places import find_place
from qdbg.stops import Mark

MOST = 12
"""How many values of the past are shown."""
FAR = 64
"""How many steps back a watch looks for them."""
BESIDE = ("PyTorch", "Δ")
"""The labels of what stands beside the value before."""
AT_ONCE = 2**20
"""So many products a call may have that is simulated only for a watch: more would be felt."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A value at one step."""

    step: int
    label: str
    """`acc` of the call that is watched, or `fc1 acc`."""
    value: str


@dataclass(frozen=True, slots=True)
class Watched:
    """One watch as it is to be seen."""

    text: str
    now: str
    """The value at the cursor's step; empty where there is none."""
    history: tuple[Reading, ...]
    """Oldest first; the last ones are of the cursor's step where `now` is not empty."""

    @property
    def words(self) -> str:
        """The history in one line: `acc 1400 → r 53 → y_q 53, PyTorch 54, Δ -1`."""
        found = ""
        for reading in self.history:
            between = ", " if reading.label in BESIDE else " → "
            found += f"{between if found else ''}{reading.label} {reading.value}"
        return found


class Watches:
    """The list of watches."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._parsed: dict[str, Expression] = {}

    def toggle(self, trace: Trace, text: str) -> str:
        """Watch it, or stop watching it; what was done, in words. Raises CommandError."""
        if text in self.all:
            self.all.remove(text)
            return f"no longer watching {text}"
        place = find_place(trace, text)
        if place is not None and place.element is None:
            size = trace.step(place.step).size
            raise CommandError(f"{text} has {counted(size, 'element')}", expected=f"{text}[0], say")
        if place is None:
            text = _condition(trace, text)
            if text in self.all:
                return self.toggle(trace, text)
        self.all.append(text)
        return f"watching {text}"

    def is_place(self, trace: Trace, text: str) -> bool:
        """Whether it is an element of this run, not an expression."""
        place = find_place(trace, text)
        return place is not None and place.element is not None

    def readings(self, trace: Trace, mark: Mark) -> tuple[Watched, ...]:
        """Every watch, seen from the cursor."""
        return tuple(self._watched(trace, text, mark) for text in self.all)

    def _watched(self, trace: Trace, text: str, mark: Mark) -> Watched:
        place = find_place(trace, text)
        if place is not None and place.element is not None:
            found = list(_of_element(trace, place.step, place.element, mark.step))
        else:
            if text not in self._parsed:
                self._parsed[text] = parse(text)
            found = list(_of_expression(trace, self._parsed[text], mark))[::-1]
        here = [reading.value for reading in found if reading.step == mark.step]
        return Watched(text, here[-1] if here else "", tuple(found[-MOST:]))


def _condition(trace: Trace, text: str) -> str:
    try:
        return checked(trace, text).text
    except CommandError as error:
        raise CommandError(
            f"{text!r} cannot be watched: {error.found}",
            expected="an element such as fc1.mac[8], or an expression such as y_q - y_zp",
            remedy=error.remedy,
        ) from error


def _of_element(trace: Trace, place: int, element: int, upto: int) -> Iterator[Reading]:
    """The element's value in each stage of its call that has been passed, and PyTorch's."""
    call = trace.call_of(place)
    if trace.first_steps[call] > upto or not trace.at_hand(call, AT_ONCE):
        return
    watched = trace.glance(place)
    for index in range(trace.first_steps[call], min(upto + 1, trace.first_steps[call + 1])):
        step = trace.glance(index)
        if step.shape != watched.shape or (step.of_inputs and index != place):
            continue
        at = step.index_of(element)
        own = step.stage.output if step.stage is not None else "captured"
        if step.shown is not None:
            yield Reading(index, own, number(step.shown[at]))
        if step.simulated is not None and step.captured is not None:
            yield Reading(index, BESIDE[0], number(step.captured[at]))
            yield Reading(
                index, BESIDE[1], signed(delta(step.simulated[at], step.captured[at])[()])
            )


def _of_expression(trace: Trace, expression: Expression, mark: Mark) -> Iterator[Reading]:
    """The expression's value for the same element at each step passed, the latest first."""
    here, element = trace.glance(mark.step), mark.element
    found = 0
    for index in range(mark.step, max(-1, mark.step - FAR), -1):
        call = trace.call_of(index)
        if call != here.call and not trace.at_hand(call, AT_ONCE):
            return
        step = trace.glance(index)
        own = _same_place(here, step, element)
        value = None if own is None else value_at(step, expression, own)
        if value is not None:
            name = step.stage.name if step.stage is not None else "result"
            yield Reading(index, f"{step.node.layer or step.node.name} {name}", number(value))
            found += 1
        if found == MOST:
            return


def _same_place(here: Step, other: Step, element: int) -> int | None:
    """The element of another step at the same place, or the same channel; None without one."""
    if here.shape == other.shape:
        return element if element < other.size else None
    axes, placed = axes_of(other), axes_of(here).placed(element)
    places = [placed.get(letter) for letter in axes.letters]
    fits = [
        place is not None and place < size for place, size in zip(places, axes.shape, strict=True)
    ]
    return axes.element(tuple(place or 0 for place in places)) if all(fits) else None
