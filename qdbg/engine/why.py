"""Why a run differs: a diagnosis for each call, its evidence, and what explains all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from qdbg.core.arithmetic import ARITHMETICS, rne
from qdbg.core.op import NotSimulated
from qdbg.core.program import Recording
from qdbg.core.quantity import Array
from qdbg.engine.diagnose import Diagnosis, Verdict, diagnose
from qdbg.engine.explain import Line, way
from qdbg.engine.patterns import patterns
from qdbg.engine.terms import Terms, lost_outputs, terms
from qdbg.engine.trace import Step, Trace, arithmetic_for
from qdbg.names import TEXTBOOK

SIMULATED, GOLDEN = "simulated", "golden"
"""Whose integers are explained: those of an arithmetic, or the user's own."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One element under the base arithmetic and under a cause."""

    element: int
    """Its flat index in the stages' own shape."""
    index: tuple[int, ...]
    before: float
    """Under the base arithmetic."""
    after: float
    """With the assumptions changed: the other side's integer."""
    base_line: Line | None
    """The first formula whose numbers differ, under the base arithmetic."""
    changed_line: Line | None
    """The same, changed."""
    terms: Terms | None
    """The saturating pairs behind the element, where they are what differs."""
    worth: float | None
    """What the pairs lost, in steps of the result."""


@dataclass(frozen=True, slots=True)
class CallWhy:
    """One call that differs."""

    call: int
    name: str
    differences: int
    elements: int
    max_delta: float
    diagnosis: Diagnosis | None
    """None where the difference needs none: `note` says why."""
    note: str = ""

    @property
    def explained(self) -> bool:
        """Whether the difference has a cause that leaves nothing."""
        return self.diagnosis is None or self.diagnosis.explained


@dataclass(frozen=True, slots=True)
class Together:
    """Changed assumptions for the whole run, and what they leave of all its calls."""

    names: tuple[str, ...]
    left: int
    elements: int


@dataclass(frozen=True, slots=True, eq=False)
class Why:
    """The answer."""

    side: str
    """SIMULATED or GOLDEN."""
    trace: Trace
    """The run under the arithmetic whose assumptions are changed."""
    calls: tuple[CallWhy, ...]
    together: tuple[Together, ...]
    """Sets that explain every call at once, the smallest first."""
    not_simulated: int
    targets: Mapping[int, Array] = field(default_factory=dict)
    """By call the other side's integers."""

    @property
    def differences(self) -> int:
        """Elements that differ, over all calls."""
        return sum(call.differences for call in self.calls)

    def patterns(self, call: int) -> tuple[str, ...]:
        """What is known of a call's differences: where they are, how large, of which sign. Δ is
        the arithmetic's integers less PyTorch's, or the golden ones less PyTorch's."""
        captured = self.trace.recording.values[call]
        made = self.trace.simulation(call)
        ours = self.targets[call] if self.side == GOLDEN else getattr(made, "result", captured)
        return patterns(_change(ours, captured))

    @property
    def exit_status(self) -> int:
        """As `show` has it."""
        if self.calls:
            return 1
        return 3 if self.not_simulated else 0


def why_simulated(trace: Trace, say: Say = lambda _: None) -> Why:
    """Why the captured integers are not those of the trace's arithmetic, each call fed PyTorch's
    own integers."""
    own = Trace(trace.recording, trace.arithmetic)
    found = []
    for call, comparison in enumerate(own.comparisons):
        if comparison.differences:
            node = own.nodes[call]
            say(f"explaining {node.name}")
            diagnosis = diagnose(own, call, own.recording.values[call])
            counts = (comparison.differences, comparison.elements, comparison.max_delta)
            found.append(CallWhy(call, node.name, *counts, diagnosis))
    skipped = sum(c.status == "not simulated" for c in own.comparisons)
    together = tuple(_together(own, found))
    targets = dict(enumerate(own.recording.values))
    return Why(SIMULATED, own, tuple(found), together, skipped, targets)


def _together(trace: Trace, calls: Sequence[CallWhy]) -> Iterator[Together]:
    """Each call's causes tried on the whole run, and all calls' first causes as one."""
    answers = [c.diagnosis.answers for c in calls if c.diagnosis is not None]
    causes = [[variants[0] for variants in each] for each in answers]
    if not causes or not all(causes):
        return
    sets: dict[tuple[str, ...], None] = dict.fromkeys(v.names for each in causes for v in each)
    union: dict[str, None] = {}
    for each in causes:
        union.update(dict.fromkeys(each[0].names))
    sets.setdefault(tuple(union))
    for names in sorted(sets, key=len):
        changed = with_changes(trace, names)
        if changed is not None and not changed.differences:
            compared = [c for c in changed.comparisons if c.status != "not simulated"]
            yield Together(names, 0, sum(c.elements for c in compared))


def with_changes(trace: Trace, names: Sequence[str]) -> Trace | None:
    """The same run with these assumptions changed; None where there is no such arithmetic."""
    name = "+".join((trace.arithmetic.name, *names))
    arithmetic = arithmetic_for(trace.recording, name)
    return None if arithmetic is None else Trace(trace.recording, arithmetic, trace.feed)


def why_golden(
    recording: Recording, columns: Mapping[int, Array], say: Say = lambda _: None
) -> Why:
    """Why the golden integers of some calls are not PyTorch's: what the golden model does in
    another way than the captured engine on its CPU level."""
    trace = Trace(recording, arithmetic_for(recording) or ARITHMETICS[TEXTBOOK])
    fed = Trace(_fed_with(recording, columns), trace.arithmetic)
    found, skipped = [], 0
    for call, given in columns.items():
        change = _change(given, recording.values[call])
        if not np.any(change):
            continue
        say(f"explaining {trace.nodes[call].name}")
        golden, unrounded = _whole(given, trace, call)
        note, diagnosis = _golden_call(trace, fed, call, golden, columns)
        note = "; ".join(part for part in (unrounded, note) if part)
        skipped += note.startswith("not simulated")
        counts = (int(np.count_nonzero(change)), golden.size, float(np.abs(change).max()))
        found.append(CallWhy(call, trace.nodes[call].name, *counts, diagnosis, note))
    return Why(GOLDEN, trace, tuple(found), (), skipped, columns)


def _change(golden: Array, captured: Array) -> Array:
    return np.asarray(golden.astype(np.float64) - captured.astype(np.float64))


def _whole(golden: Array, trace: Trace, call: int) -> tuple[Array, str]:
    """The integers of a golden column; rounded half to even where they are none, and words for
    that."""
    if golden.dtype.kind != "f" or trace.nodes[call].output is None:
        return golden, ""
    rounded = rne(golden)
    words = "" if np.array_equal(rounded, golden) else "the golden values are not rounded"
    return rounded, words


def _fed_with(recording: Recording, columns: Mapping[int, Array]) -> Recording:
    """The recording with the golden integers in place of PyTorch's, where they fit the dtype."""
    values = list(recording.values)
    for call, golden in columns.items():
        narrow = golden.astype(values[call].dtype)
        if np.array_equal(narrow, golden):
            values[call] = narrow
    return replace(recording, values=tuple(values))


def _golden_call(
    trace: Trace, fed: Trace, call: int, golden: Array, columns: Mapping[int, Array]
) -> tuple[str, Diagnosis | None]:
    other = _another_call(trace, call, golden)
    try:
        diagnosis = diagnose(trace, call, golden)
        if not any(source in columns for source in trace.nodes[call].inputs):
            return other, diagnosis
        own = diagnose(fed, call, golden)
    except NotSimulated as reason:
        return other or f"not simulated: {reason}", None
    if own is None:
        return "it follows from the differences of its inputs: nothing is wrong here", None
    if diagnosis is None or not diagnosis.explained:
        return other, own if own.explained else diagnosis
    return other, diagnosis


def _another_call(trace: Trace, call: int, golden: Array) -> str:
    """Whether the integers are those of another call."""
    for other, value in enumerate(trace.recording.values):
        if other != call and value.shape == golden.shape and np.array_equal(value, golden):
            return f"these are PyTorch's integers of {trace.nodes[other].name}"
    return ""


# ---------------------------------------------------------------------------- evidence


def evidence(trace: Trace, call: int, cause: Verdict, target: Array) -> Evidence | None:
    """The element that differs most, under the trace's arithmetic and with the cause."""
    changed = with_changes(trace, cause.names)
    if changed is None:
        return None
    base, other = _last(trace, call), _last(changed, call)
    if base.simulated is None or other.simulated is None:
        return None
    wanted = _as_stages(trace, call, target).reshape(base.simulated.shape)
    moved = np.abs(wanted.astype(np.float64) - base.simulated.astype(np.float64))
    element = int(np.argmax(moved))
    lines = _first_difference(way(base, element), way(other, element))
    found = _pairs(base, other, element)
    worth = None if found is None else lost_outputs(other, element, found)
    return Evidence(
        element,
        base.index_of(element),
        base.simulated.flat[element].item(),
        other.simulated.flat[element].item(),
        *lines,
        found,
        worth,
    )


def _last(trace: Trace, call: int) -> Step:
    return trace.step(trace.first_steps[call + 1] - 1)


def _as_stages(trace: Trace, call: int, value: Array) -> Array:
    made = trace.step(trace.first_steps[call + 1] - 1).captured
    if made is not None and made.shape != value.shape:
        return np.moveaxis(value, 1, -1)
    return value


def _first_difference(
    base: Sequence[Line], other: Sequence[Line]
) -> tuple[Line | None, Line | None]:
    """The first formula that is not the same in both, each with its numbers."""
    known = {line.numbers for line in base}
    new = next((line for line in other if line.numbers not in known), None)
    if new is None:
        return None, None
    held = {line.numbers for line in other}
    left = [line for line in base if line.numbers not in held]
    symbol = new.symbols.partition("[")[0].partition(" = ")[0]
    same = (ln for ln in left if ln.symbols.partition("[")[0].partition(" = ")[0] == symbol)
    return next(same, left[0] if left else None), new


def _pairs(base: Step, other: Step, element: int) -> Terms | None:
    """The pairs of the side that saturates, where only one does."""
    for step in (other, base):
        made = step.simulation
        if made is not None and made.kernel is not None and made.kernel.accumulator == "pairs":
            found = terms(step, element)
            return found if found is not None and found.saturating else None
    return None
