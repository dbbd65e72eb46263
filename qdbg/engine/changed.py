"""A run with some of its numbers replaced: what follows is simulated anew, beside the original."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from qdbg.core.once import cached_property
from qdbg.core.op import Call, NotSimulated
from qdbg.core.presets import Arithmetic
from qdbg.core.program import Recording
from qdbg.core.quantity import Array, readonly
from qdbg.engine.compare import differs
from qdbg.engine.simulate import Simulation
from qdbg.engine.step import Step
from qdbg.engine.trace import Trace
from qdbg.engine.unseen import DYNAMIC, RANGED, behind


@dataclass(frozen=True, slots=True, eq=False)
class Replaced:
    """What is to be simulated in place of the recording."""

    recording: Recording
    """With its own input, weights and parameters; the captured values are the original run's."""
    arithmetic: Arithmetic
    results: Mapping[int, Mapping[int, float]]
    """By call, and by the flat index in the shape of its result: the number put there."""
    sources: frozenset[int]
    """The calls that the changes begin with, INPUT where it is changed."""

    def reached(self) -> frozenset[int]:
        """Those calls and all that follow from their results."""
        found = set(self.sources)
        for call, node in enumerate(self.recording.program.nodes):
            others = behind(self.recording, node, call)
            if not found.isdisjoint(node.inputs) or not found.isdisjoint(others):
                found.add(call)
        return frozenset(found)


class ChangedTrace(Trace):
    """The run with numbers replaced, each call fed the simulated integers.

    `original` is the run without them under its own arithmetic, fed in the same way.
    """

    def __init__(self, original: Trace, replaced: Replaced) -> None:
        fed = Trace(original.recording, original.arithmetic, "simulated", original.golden)
        super().__init__(replaced.recording, replaced.arithmetic, "simulated", original.golden)
        self.original = original if original.feed == "simulated" else fed
        self._replaced = replaced
        self._reached = replaced.reached()

    def call(self, call: int) -> Call:
        """As the base does. Raises NotSimulated also where a scale would follow from the change."""
        node = self.nodes[call]
        if node.op in DYNAMIC and call in self._reached:
            raise NotSimulated(RANGED)
        return super().call(call)

    def made(self, call: int, result: Array) -> Array:
        """With the numbers put in."""
        put = self._replaced.results.get(call)
        return result if not put else _with(result, put)

    def stands(self, call: int) -> bool:
        """As the base says, of calls that no change reaches."""
        return call not in self._reached and super().stands(call)

    def _simulate(self, call: int) -> Simulation | NotSimulated:
        found = super()._simulate(call)
        put = self._replaced.results.get(call)
        if isinstance(found, NotSimulated) or not put:
            return found
        last, placed = found.stages[-1].output, self.as_stages(call, put)
        values = {**found.values, last: _with(found.values[last], placed)}
        gave = {flat: found.values[last].flat[flat] for flat in placed}
        return replace(found, values=values, result=_with(found.result, put), replaced=gave)

    def as_stages(self, call: int, put: Mapping[int, float]) -> dict[int, float]:
        """The same numbers by the flat index in the stages' order of axes."""
        shape = self.nodes[call].shape
        places = self.in_stages(call, np.arange(np.prod(shape, dtype=np.int64)).reshape(shape))
        where = np.argsort(places.ravel(), kind="stable")
        return {int(where[flat]): value for flat, value in put.items()}

    def _step(self, index: int) -> Step:
        found = super()._step(index)
        assert self.original is not None  # noqa: S101 - set at the start
        names = self.original.stage_names[found.call]
        name = found.stage.name if found.stage is not None else "result"
        if found.simulated is None or name not in names:
            return found
        first = self.original.first_steps[found.call]
        before = self.original.step(first + names.index(name)).simulated
        same = before is not None and before.shape == found.simulated.shape
        return replace(found, original=before) if same else found

    @cached_property
    def changed(self) -> tuple[int | None, ...]:
        """By call how many numbers of its result changed; None where that is not known."""
        return tuple(self._changed(call) for call in range(len(self.nodes)))

    def _changed(self, call: int) -> int | None:
        assert self.original is not None  # noqa: S101 - set at the start
        if call not in self._reached:
            return 0
        if "not simulated" in {t.comparisons[call].status for t in (self, self.original)}:
            return None
        own, before = self._results[call], self.original.result(call)
        return int(np.count_nonzero(differs(own, before)))


def _with(values: Array, put: Mapping[int, float]) -> Array:
    found = np.array(values)
    for flat, value in put.items():
        found.flat[flat] = value
    return readonly(found)
