"""Every call of a run under one arithmetic: what feeds it, what it gives, how that compares."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import numpy as np

from qdbg.core.once import cached_property
from qdbg.core.op import Call, NotSimulated, Operand
from qdbg.core.presets import Arithmetic
from qdbg.core.program import INPUT, Layer, Node, Recording
from qdbg.core.quantity import Array, QParams
from qdbg.core.versions import unmeasured
from qdbg.core.work import doing
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.compare import Comparison, compare, differs
from qdbg.engine.simulate import ROOM, Simulation, planned, result_of, simulate
from qdbg.engine.unseen import FOLLOWS, behind, made, refusal

KEPT_BYTES = 2**26
"""How much the simulated calls that are kept may hold; others are computed again when needed."""


class Calls:
    """The calls of a recording, each fed PyTorch's integers or those simulated before it."""

    original: Calls | None = None
    """Of a run whose numbers are changed: the run without the changes."""

    def __init__(
        self,
        recording: Recording,
        arithmetic: Arithmetic,
        feed: str = "captured",
        room: int = ROOM,
    ) -> None:
        self.recording = recording
        self.arithmetic = arithmetic
        self.feed = feed
        self._room = room
        self._cache: OrderedDict[int, Simulation | NotSimulated] = OrderedDict()
        self._results: dict[int, Array] = {}
        self._refused: set[int] = set()
        self._standing: dict[int, bool] = {}
        self._sources: dict[int, bool] = {}
        self._next = 0
        self._apart_from: dict[tuple[str, float, int], tuple[tuple[str, QParams], ...]] = {}

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The calls in the order in which they ran."""
        return self.recording.program.nodes

    def layer(self, call: int) -> Layer | None:
        """The layer that made the call, where the file has it."""
        return self.recording.program.layers.get(self.nodes[call].layer)

    @property
    def captured_arithmetic(self) -> Arithmetic | None:
        """That of the engine and CPU level which PyTorch ran."""
        return arithmetic_for(self.recording)

    # ------------------------------------------------------------ with all their numbers

    def simulation(self, call: int) -> Simulation | NotSimulated:
        """The call under this arithmetic with all its numbers, or why it is not simulated."""
        if call not in self._cache:
            self._cache[call] = self._simulate(call)
            while len(self._cache) > 1 and self._held() > KEPT_BYTES:
                self._cache.popitem(last=False)
        self._cache.move_to_end(call)
        return self._cache[call]

    @property
    def kept_bytes(self) -> int:
        """What the simulated calls and results hold that are kept."""
        return self._held() + sum(result.nbytes for result in self._results.values())

    def _held(self) -> int:
        return sum(made.bytes for made in self._cache.values() if isinstance(made, Simulation))

    def at_hand(self, call: int, products: int) -> bool:
        """Whether the call's numbers are kept, or made at once: it has so few products."""
        node, layer = self.nodes[call], self.layer(call)
        weight = layer.weight if layer is not None else None
        inner = 1 if weight is None or not len(weight.q) else weight.q[0].size
        return call in self._cache or int(np.prod(node.shape)) * inner <= products

    def _tell(self, call: int) -> None:
        doing(f"{self.arithmetic.name}: {self.nodes[call].name}", call, len(self.nodes))

    def _simulate(self, call: int) -> Simulation | NotSimulated:
        self._tell(call)
        try:
            return simulate(self.call(call), self.arithmetic)
        except NotSimulated as reason:
            return reason

    # ---------------------------------------------------------------- what feeds a call

    def call(self, call: int) -> Call:
        """The call with its operands, as the feed has it. Raises NotSimulated."""
        node = self.nodes[call]
        if reason := unmeasured(self.recording.environment, self.arithmetic):
            raise NotSimulated(reason)
        if self.feed == "simulated":
            refused = refusal(self.recording, node, call, self._changes)
            if refused is not None:
                raise NotSimulated(refused)
        inputs = tuple(self._operand(i) for i in node.inputs)
        threads = self.recording.environment.threads
        return Call(node, self.layer(call), inputs, threads, partial(self._others, call))

    def _changes(self, source: int) -> bool:
        """Whether a call's result, or the model's input, may be another one than PyTorch had."""
        if source not in self._sources:
            self._sources[source] = self._found_changed(source)
        return self._sources[source]

    def _found_changed(self, source: int) -> bool:
        if source == INPUT:
            first = (self.original or self).recording.input
            return bool(differs(self.recording.input, first).any())
        try:
            found = self._fed(source)
        except NotSimulated:
            return True
        return found is not None and bool(differs(found, self.recording.values[source]).any())

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
        """The call's own result for the calls after it; None where that is PyTorch's. Raises
        NotSimulated where it is not known."""
        self._look_up_to(call)
        if call in self._results:
            return self._results[call]
        if not self._standing[call]:
            raise NotSimulated(FOLLOWS.format(self.nodes[call].name))
        return None

    def _look_up_to(self, call: int) -> None:
        """Look at the calls in their order: each finds what it asks of those before it, and a long
        net is no deep recursion."""
        for each in range(self._next, call + 1):
            if each not in self._results and each not in self._refused:
                self._looked_at(each)
            if each in self._refused:
                self._standing[each] = self.stands(each)
            self._next = each + 1

    def stands(self, call: int) -> bool:
        """Whether a call that is not simulated gives what PyTorch gave: by the same arithmetic, of
        the same operands."""
        node, own = self.nodes[call], self.captured_arithmetic
        before = (*made(node), *behind(self.recording, node, call))
        return (
            own is not None
            and own.name == self.arithmetic.name
            and not any(map(self._changes, before))
        )

    def _looked_at(self, call: int) -> tuple[tuple[str, ...], Comparison]:
        """The names of the call's steps, and how its result compares; the numbers in between are
        not kept, and its result only where later calls are fed with it."""
        captured = self.recording.values[call]
        self._tell(call)
        try:
            plan = planned(self.call(call), self.arithmetic)
            result = self.made(call, result_of(plan, self._room))
        except NotSimulated as reason:
            self._refused.add(call)
            return ("result",), Comparison("not simulated", str(reason), 0, captured.size, 0)
        if self.feed == "simulated":
            self._results[call] = result
        return tuple(stage.name for stage in plan.steps), compare(result, captured)

    # ------------------------------------------------------------- how the calls compare

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

    @property
    def exit_status(self) -> int:
        """0 all equal, 1 differences, 3 nothing differs but something is not simulated."""
        if self.differences:
            return 1
        return 3 if any(c.status == "not simulated" for c in self.comparisons) else 0


def _told_apart(params: QParams) -> tuple[str, float, int]:
    return params.dtype, float(params.scale), int(params.zero_point)
