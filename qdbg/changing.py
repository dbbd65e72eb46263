"""The commands that change numbers of the run, and take the changes back."""

from __future__ import annotations

from abc import ABC, abstractmethod

from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.spots import find_spot
from qdbg.stops import Mark, Stop, arrival
from qdbg.whatif import Change, accepted, changed_trace, effect, held, shown


class Changing(ABC):
    """A debugger of whose run numbers can be changed. What was captured never is."""

    trace: Trace
    """What the cursor moves over: the changed run, or the original one."""
    unchanged: Trace
    """The run without any change, under the chosen arithmetic and feed."""
    stop: Stop
    changes: tuple[Change, ...] = ()
    """In the order in which they were made."""
    looks_back = False
    """The original run is looked at, although numbers are changed."""

    @abstractmethod
    def same_place(self, trace: Trace) -> Mark:
        """The cursor's place in another trace."""

    def show(self, unchanged: Trace) -> None:
        """Look at a run with the changes that are made."""
        self.unchanged = unchanged
        self.trace = unchanged if self.looks_back else changed_trace(unchanged, self.changes)

    def arrive(self, unchanged: Trace, reason: str) -> Stop:
        """The same, with the cursor where it was."""
        changes, back = self.changes, self.looks_back
        trace = unchanged if back else changed_trace(unchanged, changes)
        mark = self.same_place(trace)
        self.unchanged, self.trace = unchanged, trace
        return Stop(mark, arrival(trace.step(mark.step), reason))

    def refuse_feed(self) -> None:
        """Raise CommandError where PyTorch's integers do not belong to the run."""
        if self.trace.original is not None:
            raise CommandError(
                "PyTorch did not run this with the changed numbers: each layer is fed simulated "
                "integers",
                remedy="original shows the run without the changes; unset all takes them back.",
            )

    def _set(self, argument: str) -> Stop:
        name, sign, value = (part.strip() for part in argument.partition("="))
        if not sign or not value:
            raise CommandError(
                f"{argument!r} changes nothing", expected="a number and its value: fc1.b[8] = 0.5"
            )
        spot = find_spot(self.unchanged, name)
        before, now = held(self.base, spot), accepted(self.base, spot, value)
        others = tuple(change for change in self.changes if change.spot.name != spot.name)
        if now == before:
            return self._with(others, f"{spot.name} = {shown(spot, now)}, as in the original run")
        change = Change(spot, now, before)
        return self._with((*others, change), f"what if {change.text} (it was {change.was})")

    def _unset(self, argument: str) -> Stop:
        if not self.changes:
            raise CommandError("nothing is changed", remedy="set changes a number.")
        if argument == "all":
            return self._with((), "every change is taken back")
        name = find_spot(self.unchanged, argument).name if argument else self.changes[-1].spot.name
        left = tuple(change for change in self.changes if change.spot.name != name)
        if left == self.changes:
            raise CommandError(f"{name} is not changed", remedy=f"Changed: {self._listed()}")
        return self._with(left, f"{name} as in the original run")

    def _original(self, _: str) -> Stop:
        if not self.changes:
            raise CommandError("nothing is changed: this is the original run")
        self.looks_back = not self.looks_back
        reason = "the original run" if self.looks_back else f"what if {self._listed()}"
        return self.arrive(self.unchanged, reason)

    @property
    def base(self) -> Trace:
        """The original run as the changed one is compared with it: fed simulated integers."""
        own = self.unchanged
        if own.feed == "simulated":
            return own
        kept = self.trace.original
        if kept is not None and kept.arithmetic is own.arithmetic:
            return kept
        return Trace(own.recording, own.arithmetic, "simulated", own.golden)

    def _with(self, changes: tuple[Change, ...], reason: str) -> Stop:
        self.changes, self.looks_back = changes, False
        trace = changed_trace(self.unchanged, changes)
        return self.arrive(self.unchanged, f"{reason}: {effect(trace)}" if changes else reason)

    def _listed(self) -> str:
        return ", ".join(change.text for change in self.changes)
