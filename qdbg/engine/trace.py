"""The whole run as steps: one stage of one call each, computed when someone looks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import accumulate
from types import MappingProxyType
from typing import Any

import numpy as np

from qdbg.assumptions import find
from qdbg.core.arithmetic import ARITHMETICS, Arithmetic, i64
from qdbg.core.op import Call, NotSimulated, Operand
from qdbg.core.program import INPUT, Layer, Node, Recording
from qdbg.core.quantity import Array, QParams
from qdbg.core.stage import Stage
from qdbg.core.work import doing
from qdbg.engine.compare import Comparison, compare, delta, differs, largest, unlike
from qdbg.engine.simulate import ROOM, Simulation, planned, result_of, simulate
from qdbg.engine.unseen import refusal
from qdbg.ops import registry

OF_INPUTS = frozenset({"x_c", "x_q"})
"""The symbols of stages whose elements are inputs: the centred ones, the quantized ones."""
KEPT_BYTES = 2**26
"""How much the simulated calls that are kept may hold; others are computed again when needed."""
BYTE = 255
"""The largest distance of two values of a byte."""
KEPT_GLANCES = 16
"""How many steps are kept in which only single elements were looked at."""
KEPT_STEPS = 3
"""How many steps are kept with what was counted in them: the cursor's, the one before, a result."""


@dataclass(frozen=True, eq=False)
class Step:
    """One stage of one call.

    What is found out about all of its elements is kept: a key must not count a million again.
    """

    index: int
    """Its place in the run, from 0."""
    call: int
    node: Node
    layer: Layer | None
    stage: Stage | None
    """None where the call is not simulated: there is only what PyTorch computed."""
    simulation: Simulation | None
    simulated: Array | None
    captured: Array | None
    """In the shape of `simulated`; None where PyTorch does not expose this stage."""
    reason: str | None
    """Why the call is not simulated."""
    golden: Array | None = None
    """The user's own integers, in the shape of `captured`; None where they have none."""
    original: Array | None = None
    """What was simulated before numbers of the run were changed; None where none is."""

    @property
    def name(self) -> str:
        """Unique in the run and stable: `fc1:linear.mac`."""
        return f"{self.node.name}.{self.stage.name.replace(' ', '_') if self.stage else 'result'}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the elements that the cursor moves over."""
        return self.shown.shape if self.shown is not None else ()

    @property
    def shown(self) -> Array | None:
        """The simulated values, or where nothing is simulated the captured ones."""
        return self.simulated if self.simulated is not None else self.captured

    @cached_property
    def extremes(self) -> tuple[Any, Any] | None:
        """The smallest and the largest value shown that is a number; None without any."""
        if self.shown is None or not self.shown.size:
            return None
        found = self.shown.min(), self.shown.max()
        if not np.all(np.isfinite(found)):
            finite = self.shown[np.isfinite(self.shown)]
            return (finite.min(), finite.max()) if finite.size else None
        return found

    @cached_property
    def bytes(self) -> Array | None:
        """How many elements have each value of the result's byte, from qmin to qmax; None for a
        step that is no result of quantized bytes."""
        params, shown = self.node.output, self.shown
        if params is None or params.per_channel or shown is None or self.captured is None:
            return None
        ends = self.extremes or (0, 0)
        if params.qmax - params.qmin > BYTE or ends[0] < params.qmin or ends[1] > params.qmax:
            return None
        return np.bincount(i64(shown).ravel() - params.qmin, minlength=BYTE + 1)

    @property
    def of_inputs(self) -> bool:
        """Whether the elements are inputs of the layer, not its output channels."""
        return self.stage is not None and self.stage.output in OF_INPUTS

    @property
    def size(self) -> int:
        """How many elements there are."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def rows(self) -> int:
        """How many rows of elements there are: samples, positions of an image."""
        return int(np.prod(self.shape[:-1], dtype=np.int64))

    def index_of(self, element: int) -> tuple[int, ...]:
        """The element's position, from its flat index."""
        return tuple(int(i) for i in np.unravel_index(element, self.shape)) if self.shape else ()

    @cached_property
    def different(self) -> Array | None:
        """bool: where simulated and captured differ; None where nothing can be compared."""
        if self.simulated is None or self.captured is None:
            return None
        return differs(_same_type(self.simulated, self.captured), self.captured)

    @cached_property
    def delta(self) -> Array | None:
        """Simulated − captured; None where nothing can be compared."""
        if self.simulated is None or self.captured is None:
            return None
        return delta(_same_type(self.simulated, self.captured), self.captured)

    @cached_property
    def differences(self) -> int:
        """How many elements differ."""
        different = self.different
        return 0 if different is None else int(np.count_nonzero(different))

    @cached_property
    def largest(self) -> int | None:
        """The first element whose |Δ| is largest; None where nothing differs."""
        if self.different is None or self.delta is None or not self.differences:
            return None
        return largest(self.different, self.delta)

    @cached_property
    def cut(self) -> Array | None:
        """int8 per element, as `cut_sides` codes it; None for a stage that never cuts."""
        if self.stage is None or self.simulation is None:
            return None
        return self.stage.cut(self.simulation.values)

    @cached_property
    def changed(self) -> Array | None:
        """bool: where a change of the run's numbers shows; None where none is changed."""
        if self.original is None or self.simulated is None:
            return None
        return unlike(self.simulated, self.original)

    @cached_property
    def ties(self) -> Array | None:
        """bool per element: where a value lay half-way between two integers when the stage rounded
        it; None for a stage that rounds nothing."""
        if self.stage is None or self.simulation is None:
            return None
        return self.stage.ties(self.simulation.values)

    @cached_property
    def saturations(self) -> int:
        """How many elements the stage cut off."""
        cut = self.cut
        return 0 if cut is None else int(np.count_nonzero(cut))


def _same_type(simulated: Array, captured: Array) -> Array:
    if captured.dtype == np.float32:
        return np.asarray(simulated, dtype=np.float32)
    return np.asarray(simulated)


class Trace:
    """A recording under one arithmetic. Raises CommandError for no arithmetic of that name."""

    original: Trace | None = None
    """Of a run whose numbers are changed: the run without the changes."""
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
        self.recording = recording
        self.arithmetic = arithmetic
        self.feed = feed
        self.golden = golden
        """By call the integers of the user's own golden model, in the shape of the result."""
        self._room = room
        self._cache: OrderedDict[int, Simulation | NotSimulated] = OrderedDict()
        self._results: dict[int, Array] = {}
        self._steps: OrderedDict[int, Step] = OrderedDict()
        self._glanced: OrderedDict[int, Step] = OrderedDict()
        self._apart_from: dict[tuple[str, float, int], tuple[tuple[str, QParams], ...]] = {}

    @property
    def kept_bytes(self) -> int:
        """What the simulated calls and results hold that are kept."""
        return self._held() + sum(result.nbytes for result in self._results.values())

    def _held(self) -> int:
        return sum(made.bytes for made in self._cache.values() if isinstance(made, Simulation))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The calls in the order in which they ran."""
        return self.recording.program.nodes

    def layer(self, call: int) -> Layer | None:
        """The layer that made the call, where the file has it."""
        return self.recording.program.layers.get(self.nodes[call].layer)

    def simulation(self, call: int) -> Simulation | NotSimulated:
        """The call under this arithmetic with all its numbers, or why it is not simulated."""
        if call not in self._cache:
            self._cache[call] = self._simulate(call)
            while len(self._cache) > 1 and self._held() > KEPT_BYTES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(call)
        return self._cache[call]

    def _tell(self, call: int) -> None:
        doing(f"{self.arithmetic.name}: {self.nodes[call].name}", call, len(self.nodes))

    def _simulate(self, call: int) -> Simulation | NotSimulated:
        self._tell(call)
        try:
            return simulate(self.call(call), self.arithmetic)
        except NotSimulated as reason:
            return reason

    def call(self, call: int) -> Call:
        """The call with its operands, as the feed has it. Raises NotSimulated."""
        node = self.nodes[call]
        if self.feed == "simulated":
            refused = refusal(self.recording, node, call, self._changes)
            if refused is not None:
                raise NotSimulated(refused)
        inputs = tuple(self._operand(i) for i in node.inputs)
        threads = self.recording.environment.threads
        return Call(node, self.layer(call), inputs, threads, partial(self._others, call))

    def _changes(self, source: int) -> bool:
        """Whether a call's result, or the model's input, is another one than PyTorch had."""
        if source == INPUT:
            first = (self.original or self).recording.input
            return bool(differs(self.recording.input, first).any())
        made = self._fed(source)
        return made is not None and bool(differs(made, self.recording.values[source]).any())

    def _others(self, call: int) -> tuple[tuple[str, QParams], ...]:
        """The parameters of the other calls' results, each once."""
        own = self.nodes[call].output
        if own is None or own.per_channel:
            return ()
        key = _told_apart(own)
        if key not in self._apart_from:
            self._apart_from[key] = tuple(
                (name, params)
                for name, params in self._each_once
                if params.dtype == own.dtype and _told_apart(params) != key
            )
        return self._apart_from[key]

    @cached_property
    def _each_once(self) -> tuple[tuple[str, QParams], ...]:
        """The parameters of all results, each with the first call that has them."""
        found: dict[tuple[str, float, int], tuple[str, QParams]] = {}
        for node in self.nodes:
            if node.output is not None and not node.output.per_channel:
                found.setdefault(_told_apart(node.output), (node.name, node.output))
        return tuple(found.values())

    def _operand(self, source: int) -> Operand:
        fed = self.feed == "simulated" and source >= 0
        operand = self.recording.operand(source, self._fed(source) if fed else None)
        if operand is None:
            raise NotSimulated("one of its operands is of a kind that qdbg does not record")
        return operand

    def made(self, call: int, result: Array) -> Array:
        """The call's result as the calls after it take it."""
        del call
        return result

    def result(self, call: int) -> Array:
        """The call's result where simulated integers are fed on, and the call is simulated."""
        if call not in self._results:
            self._looked_at(call)
        return self._results[call]

    def _fed(self, call: int) -> Array | None:
        """The call's own result for the calls after it; None where it is not simulated."""
        if call not in self._results and self._looked_at(call)[1].status == "not simulated":
            return None
        return self._results[call]

    def _looked_at(self, call: int) -> tuple[tuple[str, ...], Comparison]:
        """The names of the call's steps, and how its result compares; the numbers in between are
        not kept, and its result only where later calls are fed with it."""
        captured = self.recording.values[call]
        self._tell(call)
        try:
            plan = planned(self.call(call), self.arithmetic)
            result = self.made(call, result_of(plan, self._room))
        except NotSimulated as reason:
            return ("result",), Comparison("not simulated", str(reason), 0, captured.size, 0)
        if self.feed == "simulated":
            self._results[call] = result
        return tuple(stage.name for stage in plan.steps), compare(result, captured)

    @cached_property
    def _all(self) -> tuple[tuple[tuple[str, ...], Comparison], ...]:
        return tuple(self._looked_at(call) for call in range(len(self.nodes)))

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Per call how its simulated result compares with the captured one."""
        return tuple(comparison for _, comparison in self._all)

    @cached_property
    def differences(self) -> int:
        """How many elements of all calls differ."""
        return sum(c.differences for c in self.comparisons)

    def equal_elements(self) -> int | None:
        """How many elements are simulated, if none of them differs. None where one does: the first
        call that differs ends it."""
        elements = 0
        for call in range(len(self.nodes)):
            found = self._looked_at(call)[1]
            if found.differences:
                return None
            elements += found.elements if found.status != "not simulated" else 0
        return elements

    @cached_property
    def changed(self) -> tuple[int | None, ...]:
        """By call how many numbers of its result are other ones than in the original run; None
        where that is not known."""
        return (0,) * len(self.nodes)

    @property
    def captured_arithmetic(self) -> Arithmetic | None:
        """That of the engine and CPU level which PyTorch ran."""
        return arithmetic_for(self.recording)

    @cached_property
    def golden_differences(self) -> Mapping[int, int]:
        """By call how many golden integers are not PyTorch's; only calls where some are not."""
        counted = {
            call: int(np.count_nonzero(golden != self.recording.values[call]))
            for call, golden in self.golden.items()
        }
        return {call: count for call, count in counted.items() if count}

    @property
    def exit_status(self) -> int:
        """0 all equal, 1 differences, 3 nothing differs but something is not simulated."""
        if self.differences:
            return 1
        return 3 if any(c.status == "not simulated" for c in self.comparisons) else 0

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

    def at_hand(self, call: int, products: int) -> bool:
        """Whether the call's numbers are kept, or made at once: it has so few products."""
        node, layer = self.nodes[call], self.layer(call)
        weight = layer.weight if layer is not None else None
        inner = 1 if weight is None or not len(weight.q) else weight.q[0].size
        return call in self._cache or int(np.prod(node.shape)) * inner <= products

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
        captured = self.in_stages(call, value).reshape(simulated.shape) if last else None
        captured = None if captured is None else np.ascontiguousarray(captured)
        mine = self.golden.get(call) if last else None
        golden = None if mine is None else self.in_stages(call, mine).reshape(simulated.shape)
        layer = self.layer(call)
        return Step(index, call, node, layer, stage, made, simulated, captured, None, golden)


def _told_apart(params: QParams) -> tuple[str, float, int]:
    return params.dtype, float(params.scale), int(params.zero_point)


def arithmetic_for(recording: Recording, name: str = "auto") -> Arithmetic | None:
    """The arithmetic of that name; `auto` is that of the captured engine and CPU level.

    Behind it, each after a `+`, the assumptions that are changed: `textbook+bias-float`. None for
    a name that does not exist.
    """
    base, *changes = name.split("+")
    if base == "auto":
        base = f"{recording.environment.engine}-{recording.environment.cpu}"
    found = ARITHMETICS.get(base)
    if found is None or not all(find(change) for change in changes):
        return None
    if not changes:
        return found
    return replace(found, name="+".join((base, *changes)), changes=tuple(changes))
