"""The commands that move the cursor: by stages and layers, or to what differs or saturates."""

from __future__ import annotations

from collections.abc import Iterable

from qdbg.breakpoints import Breakpoints
from qdbg.changing import Changing
from qdbg.engine.step import Step
from qdbg.errors import CommandError
from qdbg.stops import Flags, Mark, Stop, arrival, first_flagged, largest_difference, seek


class Moving(Changing):
    """A debugger whose cursor moves; each movement has its twin backwards."""

    breakpoints: Breakpoints
    _elements: dict[tuple[int, tuple[int, ...]], int]
    """By call and shape of its stages the element last looked at."""

    @property
    def step(self) -> Step:
        """The step under the cursor."""
        return self.trace.step(self.stop.mark.step)

    @property
    def element(self) -> int:
        """The flat index of the element under the cursor."""
        return self.stop.mark.element

    # ------------------------------------------------------------------ moving the cursor

    def _remember(self) -> None:
        step = self.step
        self._elements[step.call, step.shape] = self.stop.mark.element

    def _element_at(self, step: Step) -> int:
        """Keep the element where the shape stays; else the one last looked at there."""
        here = self.step
        if step.shape == here.shape:
            return self.element
        return self._elements.get((step.call, step.shape), 0)

    def _move(self, index: int, reason: str) -> Stop:
        step = self.trace.step(index)
        return Stop(Mark(index, self._element_at(step)), arrival(step, reason))

    def _stay(self, reason: str) -> Stop:
        return Stop(self.stop.mark, reason)

    def _next(self, _: str) -> Stop:
        if self.stop.mark.step + 1 >= len(self.trace):
            return self._stay("end of the run")
        return self._move(self.stop.mark.step + 1, "next stage")

    def _back(self, _: str) -> Stop:
        if self.stop.mark.step == 0:
            return self._stay("start of the run")
        return self._move(self.stop.mark.step - 1, "back one stage")

    def _ends(self) -> list[int]:
        return [first - 1 for first in self.trace.first_steps[1:]]

    def _finish(self, _: str) -> Stop:
        later = [end for end in self._ends() if end > self.stop.mark.step]
        return self._move(later[0], "end of layer") if later else self._stay("end of the run")

    def _finish_back(self, _: str) -> Stop:
        call = self.trace.call_of(self.stop.mark.step)
        if call == 0:
            return self._move(0, "start of the run")
        return self._move(self._ends()[call - 1], "end of the layer before")

    def _end(self, _: str) -> Stop:
        return self._move(len(self.trace) - 1, "end of the run")

    def _start(self, _: str) -> Stop:
        return self._move(0, "start of the run")

    def _element(self, argument: str) -> Stop:
        size = self.step.size
        if not argument.isdecimal() or int(argument) >= size:
            raise CommandError(
                f"{argument!r} is not an element of this stage", expected=f"0 to {size - 1}"
            )
        return Stop(Mark(self.stop.mark.step, int(argument)), f"element {int(argument)}")

    # -------------------------------------------------------------------- running to a stop

    def _continue(self, _: str) -> Stop:
        return self._run(range(self.stop.mark.step + 1, len(self.trace)), "end of the run")

    def _continue_back(self, _: str) -> Stop:
        return self._run(range(self.stop.mark.step - 1, -1, -1), "start of the run")

    def _run(self, steps: Iterable[int], otherwise: str) -> Stop:
        last = self.stop.mark.step
        for last in steps:
            step = self.trace.step(last)
            found = self.breakpoints.hit(self.trace, step, self._element_at(step))
            if found is not None:
                return found
        return self._move(last, otherwise)

    def _seek(self, flags: Flags, what: str, *, forward: bool) -> Stop:
        found = seek(self.trace, self.stop.mark, flags, what, forward=forward)
        return found or self._stay(f"no further {what} {'ahead' if forward else 'behind'}")

    def _next_difference(self, _: str) -> Stop:
        return self._seek(lambda step: step.different, "difference", forward=True)

    def _previous_difference(self, _: str) -> Stop:
        return self._seek(lambda step: step.different, "difference", forward=False)

    def _next_saturation(self, _: str) -> Stop:
        return self._seek(lambda step: step.cut, "saturation", forward=True)

    def _previous_saturation(self, _: str) -> Stop:
        return self._seek(lambda step: step.cut, "saturation", forward=False)

    def _largest_difference(self, _: str) -> Stop:
        if self.step.different is None:
            return self._stay("nothing to compare here: PyTorch shows a layer's result only")
        return largest_difference(self.step) or self._stay("nothing differs here")

    def _layer_difference(self, calls: Iterable[int], where: str) -> Stop:
        for call in calls:
            if self.trace.comparisons[call].differences:
                step = self.trace.step(self.trace.first_steps[call + 1] - 1)
                kept = self._element_at(step)
                return first_flagged(step, step.different, kept, "layer with a difference")
        return self._stay(f"no further layer with a difference {where}")

    def _next_layer_difference(self, _: str) -> Stop:
        call = self.trace.call_of(self.stop.mark.step)
        at_end = self.stop.mark.step == self._ends()[call]
        start = call + 1 if at_end else call
        return self._layer_difference(range(start, len(self.trace.nodes)), "ahead")

    def _previous_layer_difference(self, _: str) -> Stop:
        call = self.trace.call_of(self.stop.mark.step)
        return self._layer_difference(range(call - 1, -1, -1), "behind")
