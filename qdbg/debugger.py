"""The debugger: a cursor over a trace, stop points and a history. No I/O, no clock, no screen."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from qdbg.breakpoints import KINDS, Breakpoints, checked, is_condition
from qdbg.commands import BY_ID
from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import Recording
from qdbg.core.quantity import Array
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.browse import place_of
from qdbg.engine.origin import Origin, origins
from qdbg.engine.table import signed
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.moving import Moving
from qdbg.names import FEEDS
from qdbg.places import Place, find_place, named
from qdbg.stops import (
    Mark,
    Stop,
    arrival,
)
from qdbg.travel import Spot, Travel
from qdbg.watches import Watches


@dataclass(frozen=True, slots=True)
class Executed:
    """One command of the history, with where it led."""

    command: str
    """As it would be typed: `break fc1.mac`."""
    stop: str
    """The name of the step: the same place under every arithmetic."""
    element: int
    reason: str


class Debugger(Moving):
    """Step through a recording in both directions.

    Raises CommandError for an arithmetic that does not exist. The commands are those of the
    command table that are recorded; `execute` runs one as it would be typed.
    """

    def __init__(
        self,
        recording: Recording,
        arithmetic: str = "auto",
        feed: str = "captured",
        golden: Mapping[int, Array] = MappingProxyType({}),
    ) -> None:
        self.recording = recording
        self.initial_arithmetic = arithmetic
        self.initial_feed = feed
        self.arithmetic = arithmetic
        self.unchanged = _trace(recording, arithmetic, feed, golden)
        self.trace = self.unchanged
        self.breakpoints = Breakpoints()
        self.watches = Watches()
        self.travel = Travel()
        self.marks: dict[str, tuple[str, int]] = {}
        self.history: list[Executed] = []
        self.stop = Stop(Mark(0, 0), arrival(self.trace.step(0), "start"))
        self.why = self.stop.reason
        """Why it stopped where the cursor is; selecting an element there does not change that."""
        self._elements = {}

    def beside(self, golden: Mapping[int, Array]) -> None:
        """Show these golden integers beside the others; the cursor stays."""
        self.show(_trace(self.recording, self.arithmetic, self.unchanged.feed, golden))

    def execute(self, command: str) -> Stop:
        """Run one command, `break fc1.mac` say, and return where it led.

        Raises CommandError for an unknown command or argument; nothing has changed then.
        """
        name, _, argument = command.strip().partition(" ")
        known = BY_ID.get(name)
        if known is None or not known.recorded:
            raise CommandError(
                f"there is no debugger command {name!r}",
                remedy="Commands: " + ", ".join(c.id for c in BY_ID.values() if c.recorded),
            )
        argument = argument.strip()
        if argument and not known.argument:
            raise CommandError(f"{name} takes no argument, but {argument!r} follows it")
        before = self._spot
        self.stop = _HANDLERS[name](self, argument)
        if name != "element":
            self.why = self.stop.reason
        self._remember()
        command = f"{name} {argument}".strip()
        if name not in {"undo", "redo"}:
            self.travel.moved(command, before, self._spot)
        self.history.append(Executed(command, self.step.name, self.element, self.stop.reason))
        return self.stop

    @property
    def _spot(self) -> Spot:
        return Spot(self.step.name, self.element)

    # ------------------------------------------------------------- places, marks, breakpoints

    def _place(self, text: str) -> Place:
        here = self.step.name if text.startswith("[") else ""
        place = find_place(self.trace, here + text, self.element if here else 0)
        if place is None:
            raise CommandError(
                f"there is no place {text!r} in this run",
                expected="a layer, layer.stage, layer.stage[element] or [element] of this stage",
                remedy=f"Layers: {', '.join(named(self.trace, here + text))}",
            )
        return place

    def _go(self, argument: str) -> Stop:
        if argument.startswith("'"):
            letter = argument[1:]
            if letter not in self.marks:
                set_ = ", ".join(sorted(self.marks)) or "none"
                raise CommandError(f"there is no mark {letter!r}", remedy=f"Marks set: {set_}.")
            name, element = self.marks[letter]
            place = find_place(self.trace, name)
            if place is None:
                raise CommandError(f"mark {letter!r} stands at {name}, which {self._named()} lacks")
            return _at(self._move(place.step, f"mark {letter}"), element)
        place = self._place(argument)
        stop = self._move(place.step, "went here")
        return stop if place.element is None else _at(stop, place.element)

    def _named(self) -> str:
        return f"the arithmetic {self.trace.arithmetic.name}"

    def _mark(self, argument: str) -> Stop:
        if len(argument) != 1 or argument not in string.ascii_letters:
            raise CommandError(f"{argument!r} is no name for a mark", expected="one letter")
        self.marks[argument] = (self.step.name, self.element)
        return self._stay(f"mark {argument} set")

    def _break(self, argument: str) -> Stop:
        spot = argument or self.step.name
        if is_condition(spot):
            spot = checked(self.trace, spot).text
        elif spot not in KINDS:
            spot = self._named_place(spot)
        if spot in self.breakpoints.spots:
            self.breakpoints.remove(self.breakpoints.number(spot))
            return self._stay(f"breakpoint at {spot} cleared")
        return self._stay(f"breakpoint {self.breakpoints.add(spot)} set at {spot}")

    def _named_place(self, text: str) -> str:
        """The place as it is typed; an element of this stage behind the stage's name."""
        place = self._place(text)
        return f"{self.step.name}[{place.element}]" if text.startswith("[") else text

    def _enable(self, argument: str) -> Stop:
        return self._switch(argument, enabled=True)

    def _disable(self, argument: str) -> Stop:
        return self._switch(argument, enabled=False)

    def _switch(self, argument: str, *, enabled: bool) -> Stop:
        number = self.breakpoints.number(argument)
        found = self.breakpoints.enable(number, enabled=enabled)
        words = "enabled" if enabled else "disabled"
        return self._stay(f"breakpoint {number} at {found.spot} {words}")

    def _delete(self, argument: str) -> Stop:
        number = self.breakpoints.number(argument)
        return self._stay(f"breakpoint at {self.breakpoints.remove(number).spot} cleared")

    def _watch(self, argument: str) -> Stop:
        text = argument or f"{self.step.name}[{self.element}]"
        if text.startswith("["):
            text = self._named_place(text)
        return self._stay(self.watches.toggle(self.trace, text))

    # ---------------------------------------------------------------- origin, undo and redo

    @property
    def origins(self) -> tuple[Origin, ...]:
        """The elements that the one under the cursor came from, the largest contribution first."""
        return origins(self.trace, self.step, self.element)

    def _origin(self, argument: str) -> Stop:
        found = self.origins
        if not found:
            return self._stay("where this element came from is not known")
        if argument and not (argument.isdecimal() and 1 <= int(argument) <= len(found)):
            raise CommandError(f"there is no origin {argument!r}", expected=f"1 to {len(found)}")
        chosen = found[int(argument or 1) - 1]
        words = f"origin of {self.step.name}[{place_of(self.step, self.element)}]"
        words += f", {int(argument or 1)} of {len(found)}" if len(found) > 1 else ""
        if chosen.contribution is not None:
            words += f", it adds {signed(chosen.contribution)}"
        if chosen.step is None:
            return self._stay(f"{words}: {chosen.place} = {chosen.value}")
        step = self.trace.step(chosen.step)
        return Stop(Mark(chosen.step, chosen.element), arrival(step, words))

    def _undo(self, _: str) -> Stop:
        move = self.travel.undo()
        if move is None:
            return self._stay("nothing to undo: the cursor has not moved")
        return self._back_at(move.start, f"undo of {move.command}")

    def _redo(self, _: str) -> Stop:
        move = self.travel.redo()
        if move is None:
            return self._stay("nothing to redo: no movement was undone last")
        return self._back_at(move.end, f"redo of {move.command}")

    def _back_at(self, spot: Spot, reason: str) -> Stop:
        """That place; under an arithmetic without it, the end of its layer."""
        place = find_place(self.trace, spot.step) or self._place(spot.step.rpartition(".")[0])
        step = self.trace.step(place.step)
        element = min(spot.element, max(0, step.size - 1))
        return Stop(Mark(place.step, element), arrival(step, reason))

    # -------------------------------------------------------------------- another simulation

    def _arithmetic(self, argument: str) -> Stop:
        trace = _trace(self.recording, argument, self.unchanged.feed, self.trace.golden)
        self.arithmetic = argument
        return self.arrive(trace, f"arithmetic {trace.arithmetic.name}")

    def _feed(self, argument: str) -> Stop:
        self.refuse_feed()
        other = FEEDS[1] if self.trace.feed == FEEDS[0] else FEEDS[0]
        feed = argument or other
        if feed not in FEEDS:
            raise CommandError(f"{feed!r} is no feed", expected=" or ".join(FEEDS))
        trace = Trace(self.recording, self.trace.arithmetic, feed, self.trace.golden)
        return self.arrive(trace, f"fed with {feed} integers")

    def same_place(self, trace: Trace) -> Mark:
        """The cursor's place in another trace: the stage of that name, else the layer's end."""
        here = self.step
        place = find_place(trace, here.name)
        step = place.step if place else trace.first_steps[here.call + 1] - 1
        found = trace.step(step)
        element = self.element if found.shape == here.shape else 0
        return Mark(step, min(element, max(0, found.size - 1)))


def _at(stop: Stop, element: int) -> Stop:
    return Stop(Mark(stop.mark.step, element), stop.reason)


def _trace(recording: Recording, name: str, feed: str, golden: Mapping[int, Array]) -> Trace:
    arithmetic = arithmetic_for(recording, name)
    if arithmetic is None:
        raise CommandError(
            f"there is no arithmetic {name!r}",
            expected=", ".join(("auto", *ARITHMETICS)),
            remedy="Behind a + it takes ids of 'qdbg why --list': textbook+bias-float.",
        )
    if feed not in FEEDS:
        raise CommandError(f"{feed!r} is no feed", expected=" or ".join(FEEDS))
    return Trace(recording, arithmetic, feed, golden)


_HANDLERS: dict[str, Callable[[Debugger, str], Stop]] = {
    command.id: getattr(Debugger, "_" + command.id.replace("-", "_"))
    for command in BY_ID.values()
    if command.recorded
}
