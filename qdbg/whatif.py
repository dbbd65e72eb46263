"""What if a number were another one: what it may be, and the run with it replaced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from qdbg.core.op import NotSimulated
from qdbg.core.program import INPUT, Node, Program, Recording
from qdbg.core.quantity import RANGES, Array, QParams, readonly
from qdbg.core.words import counted
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.changed import ChangedTrace, Replaced
from qdbg.engine.filled import number
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.held import OF_WEIGHTS, limits, put, shared_by, with_params
from qdbg.spots import Spot, numbers_of, passed_on

SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Change:
    """A number and what stands there instead."""

    spot: Spot
    value: float | str
    before: float | str

    @property
    def text(self) -> str:
        """`fc1.w_q[8,3] = -12`, as it is typed."""
        return f"{self.spot.name} = {shown(self.spot, self.value)}"

    @property
    def was(self) -> str:
        """What the number is in the original run."""
        return shown(self.spot, self.before)


def shown(spot: Spot, value: float | str) -> str:
    """The number with all its digits."""
    if isinstance(value, str | int):
        return str(value)
    single = spot.single or spot.symbol == "result"
    return number(np.float32(value)) if single else repr(float(value))


def held(original: Trace, spot: Spot) -> float | str:
    """What stands there in the original run, fed with simulated integers. Raises CommandError."""
    if spot.symbol == "arithmetic":
        return original.arithmetic.name
    if spot.symbol == "result":
        made = original.simulation(spot.call)
        if isinstance(made, NotSimulated):
            name = original.nodes[spot.call].name
            raise CommandError(f"{name} is not simulated: {made}", expected="a simulated result")
        return _plain(made.result[spot.index])
    return _plain(numbers_of(original.recording, spot.symbol, spot.call, spot.name)[spot.index])


def _plain(value: object) -> float:
    array = np.asarray(value)
    return int(array) if array.dtype.kind in "iu" else float(array)


def accepted(original: Trace, spot: Spot, text: str) -> float | str:
    """The number that the text stands for, if it may stand there. Raises CommandError."""
    if spot.symbol == "arithmetic":
        found = arithmetic_for(original.recording, text)
        if found is None:
            raise CommandError(f"there is no arithmetic {text!r}", remedy="a lists them.")
        return found.name
    bounds = bounds_of(original.recording, spot)
    if bounds is not None:
        return _whole(spot, text, *bounds)
    value = _real(spot, text)
    return float(np.float32(value)) if spot.single else value


def bounds_of(recording: Recording, spot: Spot) -> tuple[int, int] | None:
    """The smallest and the largest integer that may stand there; None for real numbers."""
    if spot.symbol == "input" and recording.input.dtype == np.int64:
        return 0, _rows(recording) - 1
    if spot.symbol in {"input", "y_scale", "arithmetic"}:
        return None
    if spot.symbol in OF_WEIGHTS:
        return limits(recording, spot.call, spot.symbol)
    params = recording.program.nodes[spot.call].output
    return None if params is None else RANGES[params.dtype]


def _rows(recording: Recording) -> int:
    """How many rows each table has that the input's indices go to; without a recorded one, as many
    as the recorded indices need."""
    tables = (
        recording.operand(source)
        for node in recording.program.nodes
        if INPUT in node.inputs
        for source, name in zip(node.inputs, node.names, strict=False)
        if name == "weight"
    )
    sizes = [len(table) for table in tables if isinstance(table, np.ndarray)]
    return min(sizes, default=int(recording.input.max()) + 1)


def allowed(original: Trace, spot: Spot) -> str:
    """What may stand there, in a few words."""
    bounds = bounds_of(original.recording, spot)
    if spot.symbol == "arithmetic":
        return "the name of another"
    if bounds is not None:
        return f"{bounds[0]} to {bounds[1]}"
    return "a number above 0" if spot.symbol.endswith("scale") else "any finite number"


def _whole(spot: Spot, text: str, low: int, high: int) -> int:
    expected = f"a whole number from {low} to {high}"
    try:
        value = int(text, 0)
    except ValueError:
        raise CommandError(f"{spot.name} cannot be {text!r}", expected=expected) from None
    if not low <= value <= high:
        raise CommandError(f"{spot.name} cannot be {value}", expected=expected)
    return value


def _real(spot: Spot, text: str) -> float:
    scale = spot.symbol in {"w_scale", "y_scale"}
    expected = (
        f"a number from {SMALLEST:.6g} to {LARGEST:.6g}: a scale is positive and a float32"
        if scale
        else "a finite number that float32 holds"
    )
    try:
        value = float(text)
    except ValueError:
        raise CommandError(f"{spot.name} cannot be {text!r}", expected=expected) from None
    fits = isfinite(value) and abs(value) <= LARGEST and (not scale or value >= SMALLEST)
    if not fits:
        raise CommandError(f"{spot.name} cannot be {text}", expected=expected)
    return value if scale else float(np.float32(value))


# ---------------------------------------------------------------------- the changed run


def changed_trace(original: Trace, changes: Sequence[Change]) -> Trace:
    """The run with the numbers replaced, `original` itself without any."""
    if not changes:
        return original
    recording, arithmetic = original.recording, original.arithmetic
    results: dict[int, dict[int, float]] = {}
    sources: set[int] = set()
    for change in changes:
        sources |= _begins(recording, change.spot)
        match change.spot.symbol, change.value:
            case "arithmetic", str(name):
                arithmetic = arithmetic_for(recording, name) or arithmetic
            case "result", float() | int() as value:
                shape = recording.program.nodes[change.spot.call].shape
                flat = int(np.ravel_multi_index(change.spot.index, shape))
                results.setdefault(change.spot.call, {})[flat] = value
            case _, float() | int() as value:
                recording = _put(recording, change.spot, value)
    recording = _passing_on(original.recording, recording)
    made = ChangedTrace(original, Replaced(recording, arithmetic, results, frozenset(sources)))
    made.what_if = listed(changes)
    return made


def _begins(recording: Recording, spot: Spot) -> set[int]:
    """The calls that the change begins with, or INPUT."""
    nodes = recording.program.nodes
    if spot.symbol == "arithmetic":
        return set(range(len(nodes)))
    if spot.symbol == "input":
        return {INPUT}
    if spot.symbol in OF_WEIGHTS:
        return shared_by(recording, spot.call, spot.symbol)
    return {spot.call}


def _put(recording: Recording, spot: Spot, value: float) -> Recording:
    numbers = _with(numbers_of(recording, spot.symbol, spot.call, spot.name), spot.index, value)
    if spot.symbol == "input":
        return replace(recording, input=numbers)
    if spot.symbol in OF_WEIGHTS:
        return put(recording, spot.call, spot.symbol, numbers)
    nodes = recording.program.nodes
    node = nodes[spot.call]
    if node.output is not None:
        output = with_params(node.output, spot.symbol, numbers)
        nodes = _swapped(nodes, spot.call, replace(node, output=output))
    return replace(recording, program=Program(nodes, recording.program.layers))


def _with(numbers: Array, index: tuple[int, ...], value: float) -> Array:
    found = np.array(numbers)
    found[index] = value
    return readonly(found)


def _swapped(nodes: tuple[Node, ...], call: int, node: Node) -> tuple[Node, ...]:
    return (*nodes[:call], node, *nodes[call + 1 :])


def _passing_on(original: Recording, recording: Recording) -> Recording:
    """With the changed parameters of a result in the calls that pass them on."""
    before, nodes = original.program.nodes, recording.program.nodes
    for call, node in enumerate(nodes):
        source = passed_on(before, call)
        if source is not None and node.output is not None:
            output = _like(node.output, nodes[source].output)
            nodes = _swapped(nodes, call, replace(node, output=output))
    return replace(recording, program=Program(nodes, recording.program.layers))


def _like(own: QParams, other: QParams | None) -> QParams:
    return own if other is None else replace(own, scale=other.scale, zero_point=other.zero_point)


# ------------------------------------------------------------------------------ in words


def effect(trace: Trace) -> str:
    """`9 values change in 3 layers, 2 of the result`, of a run with numbers replaced."""
    if not isinstance(trace, ChangedTrace):
        return "the original run"
    counts = trace.changed
    total, calls = sum(n for n in counts if n), sum(1 for n in counts if n)
    unknown = sum(1 for n in counts if n is None)
    if not total and not unknown:
        return "nothing changes"
    last = f", {counts[-1]} of the result" if counts[-1] else ", none of the result"
    words = f"{counted(total, 'value changes', 'values change')} in {counted(calls, 'call')}"
    words += "" if counts[-1] is None else last
    return words + (
        f"; {counted(unknown, 'call is', 'calls are')} not simulated" if unknown else ""
    )


def not_known(trace: Trace) -> str:
    """What the recording does not tell of a changed run; empty where it tells all."""
    if not isinstance(trace, ChangedTrace) or trace.recording.unseen is not None:
        return ""
    return "this recording does not tell whether Python decided by such numbers: record it again"


def listed(changes: Iterable[Change]) -> str:
    """All changes in one line."""
    return ", ".join(change.text for change in changes) or "nothing is changed"
