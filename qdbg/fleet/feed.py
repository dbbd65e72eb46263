"""Every call of many runs under several arithmetics, each fed captured or simulated operands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from qdbg.core.presets import Arithmetic
from qdbg.core.program import FIRST_CONSTANT, INPUT, UNKNOWN, Node
from qdbg.core.quantity import Array, QTensor, readonly
from qdbg.core.runs import Runs
from qdbg.core.versions import unmeasured
from qdbg.engine.compare import differs
from qdbg.engine.unseen import DECIDED, DERIVED, DYNAMIC, FOLLOWS, RANGED
from qdbg.fleet.stack import Job, Made, Reasons, Stacked

Place: TypeAlias = tuple[str, tuple[int, ...]]
"""A call's name and the shape of its result."""
COMPUTED = (
    "float32 operations that qdbg does not simulate computed its operand, and on another CPU level"
    " they may round otherwise"
)
UNSEEN = "with these samples the model makes other calls, which were not run on this engine"
KIND = "one of its operands is of a kind that qdbg does not record"


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """An engine on a CPU level that is simulated."""

    name: str
    """`fbgemm-avx2`, as --arith takes it."""
    arithmetic: Arithmetic
    memory: Mapping[Place, Node] | None = None
    """The calls as this engine makes them: the order in which their results lie in memory may be
    another one. None where it is known to be the captured one."""

    def node(self, node: Node) -> Node:
        """The captured call as this engine makes it."""
        own = None if self.memory is None else self.memory.get((node.name, node.shape))
        if own is None:
            return node
        return replace(node, strides=own.strides, repeatable=own.repeatable)

    def knows(self, node: Node) -> bool:
        """Whether it is known how this engine makes the call."""
        return self.memory is None or (node.name, node.shape) in self.memory


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One call's results under one arithmetic."""

    values: Array
    """[n, …]; PyTorch's own where a run is not simulated."""
    unknown: Reasons
    operands: tuple[Stacked, ...]
    """What it was fed."""

    def different(self, captured: Array) -> Array:
        """bool [n, …]: where a simulated value is not PyTorch's."""
        if self.values is captured:
            return np.zeros(captured.shape, dtype=bool)
        return differs(self.values, captured)


class Fleet:
    """The calls of `runs` by several machines."""

    def __init__(self, runs: Runs, machines: Sequence[Machine], feed: str) -> None:
        self.runs = runs
        self.machines = machines
        self._simulated = feed == "simulated"
        self._results: list[list[Result]] = []
        self._changed = [np.zeros(len(runs), dtype=bool) for _ in machines]
        constants = zip(runs.first.constants, runs.constants, strict=True)
        self._constants = [_constant(held, own) for held, own in constants]

    def calls(self) -> Iterator[tuple[int, list[Result]]]:
        """Call by call its results, one for each machine."""
        for call in range(len(self.runs.nodes)):
            found = self._call(call)
            self._results.append(found)
            yield call, found

    def _call(self, call: int) -> list[Result]:
        fed = [self._operands(call, place) for place in range(len(self.machines))]
        lots: dict[object, list[int]] = defaultdict(list)
        for place, machine in enumerate(self.machines):
            node, ids = machine.node(self.runs.nodes[call]), [id(o.value) for o in fed[place]]
            seen = machine.knows(self.runs.nodes[call])
            memory = (seen, node.strides, node.repeatable, *(o.strides for o in fed[place]))
            lots[(memory, *ids)].append(place)
        found: dict[int, Result] = {}
        known: list[Array] = [self.runs.values[call]]
        for places in lots.values():
            made = self._under(call, places, fed[places[0]])
            for place, each in zip(places, made, strict=True):
                found[place] = self._result(call, place, each, fed[place], known)
        return [found[place] for place in range(len(self.machines))]

    def _under(self, call: int, places: list[int], operands: tuple[Stacked, ...]) -> list[Made]:
        node = self.machines[places[0]].node(self.runs.nodes[call])
        count = len(self.runs)
        known = self.machines[places[0]].knows(self.runs.nodes[call])
        if UNKNOWN in node.inputs or not known:
            why = KIND if known else UNSEEN
            return [Made(self.runs.values[call], dict.fromkeys(range(count), why))] * len(places)
        first = self.runs.first
        layer = first.program.layers.get(node.layer)
        job = Job(node, layer, operands, count, first.environment.threads)
        return job.under([self.machines[place].arithmetic for place in places])

    def _result(
        self, call: int, place: int, made: Made, operands: tuple[Stacked, ...], known: list[Array]
    ) -> Result:
        """With one array for equal values: what follows is then simulated once."""
        reasons = dict(made.reasons) | self._reasons(call, place)
        captured, values = self.runs.values[call], made.values
        if reasons:
            values = np.array(values)
            values[list(reasons)] = captured[list(reasons)]
        values = next((own for own in known if _same(own, values)), values)
        if not any(values is own for own in known):
            known.append(readonly(values))
            values = known[-1]
        found = Result(values, reasons, operands)
        changed: Array = np.asarray(
            found.different(captured).reshape(len(self.runs), -1).any(axis=1)
        )
        changed[list(reasons)] = True
        self._changed[place] |= changed
        return found

    def _reasons(self, call: int, place: int) -> dict[int, str]:
        """Runs whose operands, or whose kernels, are not known under this arithmetic."""
        environment = self.runs.first.environment
        if reason := unmeasured(environment, self.machines[place].arithmetic):
            return dict.fromkeys(range(len(self.runs)), reason)
        if not self._simulated:
            return {}
        node, links = self.runs.nodes[call], self.runs.links
        found: dict[int, str] = {}
        if links.decided is not None and call >= links.decided:
            found |= self._changed_before(place, DECIDED)
        if self.machines[place].arithmetic.level != environment.cpu and any(
            FIRST_CONSTANT - source in links.computed for source in node.inputs
        ):
            found |= dict.fromkeys(range(len(self.runs)), COMPUTED)
        if any(FIRST_CONSTANT - source in links.derived for source in node.inputs):
            found |= self._changed_before(place, DERIVED)
        for source in (s for s in node.inputs if s >= 0):
            made, name = self._results[source][place], self.runs.nodes[source].name
            if node.op in DYNAMIC:
                found |= self._changed_before(place, RANGED)
            found |= dict.fromkeys(made.unknown, FOLLOWS.format(name))
        return found

    def _changed_before(self, place: int, words: str) -> dict[int, str]:
        return dict.fromkeys((int(run) for run in np.flatnonzero(self._changed[place])), words)

    def _operands(self, call: int, place: int) -> tuple[Stacked, ...]:
        return tuple(self._operand(source, place) for source in self.runs.nodes[call].inputs)

    def _operand(self, source: int, place: int) -> Stacked:
        if source == INPUT:
            return Stacked(self.runs.inputs, None, None, shared=False)
        if source == UNKNOWN:
            return Stacked(np.zeros(0), None, None, shared=True)
        if source < 0:
            return self._constants[FIRST_CONSTANT - source]
        node = self.machines[place].node(self.runs.nodes[source])
        value = self.runs.values[source]
        if self._simulated:
            value = self._results[source][place].values
        return Stacked(value, node.output, node.strides, shared=False)


def _constant(held: QTensor | Array, own: Array | None) -> Stacked:
    value = held.q if isinstance(held, QTensor) else held
    qparams = held.qparams if isinstance(held, QTensor) else None
    strides = held.strides if isinstance(held, QTensor) else None
    return Stacked(value if own is None else own, qparams, strides, shared=own is None)


def _same(one: Array, other: Array) -> bool:
    return one is other or not bool(differs(one, other).any())
