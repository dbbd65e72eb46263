"""The whole run as steps: one stage of one call each, computed when someone looks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from itertools import accumulate
from types import MappingProxyType

import numpy as np

from qdbg.core.once import cached_property
from qdbg.core.op import NotSimulated
from qdbg.core.presets import Arithmetic
from qdbg.core.program import Recording
from qdbg.core.quantity import Array
from qdbg.engine.calls import Calls
from qdbg.engine.simulate import ROOM, Simulation
from qdbg.engine.step import Step
from qdbg.ops import registry

KEPT_GLANCES = 16
"""How many steps are kept in which only single elements were looked at."""
KEPT_STEPS = 3
"""How many steps are kept with what was counted in them: the cursor's, the one before, a result."""


class Trace(Calls):
    """A recording under one arithmetic."""

    original: Trace | None = None
    what_if = ""
    """The changes in one line: `fc1.w_q[8,3] = -12`."""

    def __init__(
        self,
        recording: Recording,
        arithmetic: Arithmetic,
        feed: str = "captured",
        golden: Mapping[int, Array] = MappingProxyType({}),
        room: int = ROOM,
    ) -> None:
        super().__init__(recording, arithmetic, feed, room)
        self.golden = golden
        """By call the integers of the user's own golden model, in the shape of the result."""
        self._steps: OrderedDict[int, Step] = OrderedDict()
        self._glanced: OrderedDict[int, Step] = OrderedDict()

    @cached_property
    def changed(self) -> tuple[int | None, ...]:
        """By call how many numbers of its result are other ones than in the original run; None
        where that is not known."""
        return (0,) * len(self.nodes)

    @cached_property
    def golden_differences(self) -> Mapping[int, int]:
        """By call how many golden integers are not PyTorch's; only calls where some are not."""
        counted = {
            call: int(np.count_nonzero(golden != self.recording.values[call]))
            for call, golden in self.golden.items()
        }
        return {call: count for call, count in counted.items() if count}

    @cached_property
    def stage_names(self) -> tuple[tuple[str, ...], ...]:
        """Per call the names of its steps."""
        return tuple(names for names, _ in self._all)

    @cached_property
    def first_steps(self) -> tuple[int, ...]:
        """Per call the index of its first step, and at the end the number of all steps."""
        return tuple(accumulate((len(names) for names in self.stage_names), initial=0))

    def __len__(self) -> int:
        """The number of steps."""
        return self.first_steps[-1]

    def call_of(self, step: int) -> int:
        """The call that a step belongs to."""
        return int(np.searchsorted(self.first_steps, step, side="right")) - 1

    def glance(self, index: int) -> Step:
        """The step for a look at one element: what was counted in other steps stays kept."""
        if index in self._steps:
            return self._steps[index]
        if index not in self._glanced:
            self._glanced[index] = self._step(index)
            while len(self._glanced) > KEPT_GLANCES:
                self._glanced.popitem(last=False)
        return self._glanced[index]

    def step(self, index: int) -> Step:
        """The step with its numbers."""
        if index not in self._steps:
            self._steps[index] = self._step(index)
            while len(self._steps) > KEPT_STEPS:
                self._steps.popitem(last=False)
        self._steps.move_to_end(index)
        return self._steps[index]

    def result_step(self, call: int) -> Step:
        """The step of the call's result. Other calls are not looked at: its place in the run is not
        known, and is −1."""
        made = self.simulation(call)
        last = len(made.stages) - 1 if isinstance(made, Simulation) else 0
        return self._step_of(call, last, -1)

    def in_stages(self, call: int, value: Array) -> Array:
        """A result of the call with its axes in the order of the stages."""
        return np.moveaxis(value, 1, -1) if registry()[self.nodes[call].op].channels_last else value

    def _step(self, index: int) -> Step:
        call = self.call_of(index)
        return self._step_of(call, index - self.first_steps[call], index)

    def _step_of(self, call: int, place: int, index: int) -> Step:
        node, made = self.nodes[call], self.simulation(call)
        value = self.recording.values[call]
        if isinstance(made, NotSimulated):
            layer = self.layer(call)
            mine = self.golden.get(call)
            return Step(index, call, node, layer, None, None, None, value, str(made), mine)
        stage = made.stages[place]
        simulated = made.values[stage.output]
        last = stage is made.stages[-1]
        captured = self.in_stages(call, value) if last else None
        if captured is not None:
            captured = np.ascontiguousarray(captured).reshape(simulated.shape)
        mine = self.golden.get(call) if last else None
        golden = None if mine is None else self.in_stages(call, mine).reshape(simulated.shape)
        layer = self.layer(call)
        return Step(index, call, node, layer, stage, made, simulated, captured, None, golden)
