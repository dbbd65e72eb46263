"""Why a run differs: a diagnosis for each call, its evidence, and what explains all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from qdbg.core.arithmetic import ARITHMETICS
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
MOST_UNIONS = 500
"""How many sets of changes are kept while they are joined from call to call."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One element without one change of a cause, and with it; the cause's others are made."""

    change: str
    """`rounding=truncated`."""
    element: int
    """Its flat index in the stages' own shape: the one that the change moves most."""
    index: tuple[int, ...]
    before: float
    after: float
    base_line: Line | None
    """The first formula whose numbers differ, without the change."""
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
    notes: tuple[str, ...] = ()
    """What else is to be said of the golden columns."""

    def noting(self, notes: tuple[str, ...]) -> Why:
        """The same with these notes."""
        return replace(self, notes=notes)

    def likeliest(self, call: CallWhy) -> int:
        """How many of the call's answers go with the smallest sets for the whole run; these are
        the first ones of `answers(call)`."""
        sets = [set(each.names) for each in self.together]
        return sum(
            any(set(verdict.names) <= names for names in sets for verdict in variants)
            for variants in (call.diagnosis.answers if call.diagnosis is not None else ())
        )

    def answers(self, call: CallWhy) -> tuple[tuple[Verdict, ...], ...]:
        """The call's causes by hypotheses, first those that explain the other calls too."""
        if call.diagnosis is None:
            return ()
        sets = [set(each.names) for each in self.together]

        def apart(variants: tuple[Verdict, ...]) -> bool:
            return not any(set(v.names) <= names for names in sets for v in variants)

        return tuple(sorted(call.diagnosis.answers, key=apart))

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
    """The smallest sets that hold a cause of each call; of a simulated run, proved on the whole."""
    for names in smallest_unions(calls):
        changed = with_changes(trace, names)
        if changed is not None and not changed.differences:
            compared = [c for c in changed.comparisons if c.status != "not simulated"]
            yield Together(names, 0, sum(c.elements for c in compared))


def smallest_unions(calls: Sequence[CallWhy]) -> tuple[tuple[str, ...], ...]:
    """The smallest sets of changes that hold a cause of each call; none where one is unexplained.

    Ties of one call are settled by the others: what explains them too needs no further change.
    """
    unions: dict[frozenset[str], tuple[str, ...]] = {frozenset(): ()}
    for call in calls:
        if call.diagnosis is None:
            continue
        if not call.explained:
            return ()
        grown: dict[frozenset[str], tuple[str, ...]] = {}
        for names in unions.values():
            for verdict in call.diagnosis.causes:
                both = tuple(dict.fromkeys((*names, *verdict.names)))
                grown.setdefault(frozenset(both), both)
        kept = sorted(grown.values(), key=len)[:MOST_UNIONS]
        unions = {frozenset(names): names for names in kept}
    least = min(map(len, unions.values()), default=0)
    return tuple(names for names in unions.values() if len(names) == least and names)


def with_changes(trace: Trace, names: Sequence[str]) -> Trace | None:
    """The same run with these assumptions changed; None where there is no such arithmetic."""
    name = "+".join((trace.arithmetic.name, *names))
    arithmetic = arithmetic_for(trace.recording, name)
    return None if arithmetic is None else Trace(trace.recording, arithmetic, trace.feed)


def why_golden(
    recording: Recording, columns: Mapping[int, Array], say: Say = lambda _: None
) -> Why:
    """Why the golden integers of some calls are not PyTorch's: what the golden model does in
    another way than the captured engine on its CPU level. `columns`: by call, in its shape."""
    trace = Trace(recording, arithmetic_for(recording) or ARITHMETICS[TEXTBOOK])
    fed = Trace(_fed_with(recording, columns), trace.arithmetic)
    found, skipped = [], 0
    for call, golden in columns.items():
        change = _change(golden, recording.values[call])
        if not np.any(change):
            continue
        say(f"explaining {trace.nodes[call].name}")
        note, diagnosis = _golden_call(trace, fed, call, golden, columns)
        skipped += note.startswith("not simulated")
        counts = (int(np.count_nonzero(change)), golden.size, float(np.abs(change).max()))
        found.append(CallWhy(call, trace.nodes[call].name, *counts, diagnosis, note))
    elements = sum(column.size for column in columns.values())
    together = tuple(Together(names, 0, elements) for names in smallest_unions(found))
    return Why(GOLDEN, trace, tuple(found), together, skipped, columns)


def _change(golden: Array, captured: Array) -> Array:
    return np.asarray(golden.astype(np.float64) - captured.astype(np.float64))


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
    other = _another_call(trace, call, golden) or _all_the_same(trace, call, golden)
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


def _all_the_same(trace: Trace, call: int, golden: Array) -> str:
    """Whether the integers are one number, which many mistakes give and an empty function too."""
    first, captured = golden.flat[0], trace.recording.values[call]
    if np.any(golden != first) or np.all(captured == captured.flat[0]):
        return ""
    return f"all of your numbers are {first}: they say little about their cause"


# ---------------------------------------------------------------------------- evidence


def evidence(trace: Trace, call: int, cause: Verdict) -> tuple[Evidence, ...]:
    """For each change of a cause the element that it moves most."""
    whole = with_changes(trace, cause.names)
    if whole is None:
        return ()
    found = []
    for change in cause.names:
        others = [name for name in cause.names if name != change]
        without = with_changes(trace, others) if others else trace
        held = None if without is None else _moved(without, whole, call, change)
        if held is not None:
            found.append(held)
    return tuple(found)


def _moved(without: Trace, whole: Trace, call: int, change: str) -> Evidence | None:
    before, after = _last(without, call), _last(whole, call)
    if before.simulated is None or after.simulated is None or before.shape != after.shape:
        return None
    moved = np.abs(after.simulated.astype(np.float64) - before.simulated.astype(np.float64))
    element = int(np.argmax(moved))
    lines = _first_difference(way(before, element), way(after, element))
    found = _pairs(before, after, element)
    worth = None if found is None else lost_outputs(after, element, found)
    return Evidence(
        change,
        element,
        before.index_of(element),
        before.simulated.flat[element].item(),
        after.simulated.flat[element].item(),
        *lines,
        found,
        worth,
    )


def _last(trace: Trace, call: int) -> Step:
    return trace.step(trace.first_steps[call + 1] - 1)


def _first_difference(
    base: Sequence[Line], other: Sequence[Line]
) -> tuple[Line | None, Line | None]:
    """The first formula that is not the same in both, each with its numbers: one of the element's
    own before one that all elements share."""
    known = {_plain(line) for line in base}
    fresh = [line for line in other if _plain(line) not in known]
    if not fresh:
        return None, None
    new = min(fresh, key=lambda line: "[" not in line.symbols.partition(" = ")[0])
    held = {_plain(line) for line in other}
    left = [line for line in base if _plain(line) not in held]
    same = (line for line in left if _symbol(line) == _symbol(new))
    return next(same, left[0] if left else None), new


def _plain(line: Line) -> str:
    """The numbers; a symbol that is made anew later is still the same."""
    return line.numbers.replace("_0", "")


def _symbol(line: Line) -> str:
    return line.symbols.partition("[")[0].partition(" = ")[0]


def _pairs(before: Step, after: Step, element: int) -> Terms | None:
    """The pairs of the side that saturates, where the sums are not the same."""
    made, other = before.simulation, after.simulation
    if made is None or other is None or made.kernel is None or other.kernel is None:
        return None
    if made.kernel.accumulator == other.kernel.accumulator:
        return None
    found = terms(after if other.kernel.accumulator == "pairs" else before, element)
    return found if found is not None and found.saturating else None
