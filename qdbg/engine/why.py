"""Why a run differs: a diagnosis for each call, and what explains all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from qdbg.core.op import NotSimulated
from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import Recording
from qdbg.core.quantity import Array
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.diagnose import Changes, diagnose
from qdbg.engine.evidence import with_changes
from qdbg.engine.patterns import patterns
from qdbg.engine.together import (
    CallWhy,
    Together,
    for_all,
    ids_of,
    settled,
    smallest_unions,
)
from qdbg.engine.trace import Trace
from qdbg.engine.verdict import Diagnosis, Verdict
from qdbg.names import TEXTBOOK

SIMULATED, GOLDEN = "simulated", "golden"
"""Whose integers are explained: those of an arithmetic, or the user's own."""
RELU = "relu"
"""The assumption of which a call and the next one may differ in nothing else."""
Say = Callable[[str], None]


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
    """What else is to be said: of the golden columns, of PyTorch's release."""
    misplaced: tuple[str, ...] = ()
    """The calls whose golden numbers are PyTorch's only in another order, which is no layout."""

    def noting(self, notes: tuple[str, ...], misplaced: tuple[str, ...] = ()) -> Why:
        """The same with these notes."""
        return replace(self, notes=notes, misplaced=misplaced)

    def narrowed(self, calls: Sequence[CallWhy]) -> Why:
        """The same where some causes were ruled out: what explains all calls is joined of those
        that are left."""
        calls, together = _joined(self.side, self.trace, calls, self.targets)
        return replace(self, calls=calls, together=together)

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
    found: list[CallWhy] = []
    known: dict[Changes, None] = {}
    for call, comparison in enumerate(own.comparisons):
        if comparison.differences:
            node = own.nodes[call]
            say(f"explaining {node.name}")
            diagnosis = diagnose(own, call, own.recording.values[call], tuple(known))
            counts = (comparison.differences, comparison.elements, comparison.max_delta)
            found.append(CallWhy(call, node.name, *counts, diagnosis))
            known |= _sets(diagnosis)
    skipped = sum(c.status == "not simulated" for c in own.comparisons)
    targets = dict(enumerate(own.recording.values))
    calls, together = _joined(SIMULATED, own, found, targets)
    return Why(SIMULATED, own, calls, together, skipped, targets)


def _joined(
    side: str, trace: Trace, found: Sequence[CallWhy], targets: Mapping[int, Array]
) -> tuple[tuple[CallWhy, ...], tuple[Together, ...]]:
    """The calls, their doubts settled by each other, and what explains all of them."""
    unions = smallest_unions(found)
    calls = settled(found, unions)
    sets = for_all(calls, unions)
    if side == SIMULATED:
        return calls, tuple(_proved(trace, sets))
    elements = sum(column.size for column in targets.values())
    return calls, tuple(Together(names, 0, elements, names) for names in sets)


def _sets(diagnosis: Diagnosis | None) -> dict[Changes, None]:
    """The sets of changes that explain a call, in their order."""
    if diagnosis is None or not diagnosis.explained:
        return {}
    return dict.fromkeys(verdict.changes for verdict in diagnosis.causes)


def _proved(trace: Trace, unions: Sequence[tuple[str, ...]]) -> Iterator[Together]:
    """Those that leave nothing of the whole run; of sets that differ in variants, the first."""
    shown: set[frozenset[str]] = set()
    for names in unions:
        elements = _equal(trace, names) if ids_of(names) not in shown else None
        if elements is not None:
            shown.add(ids_of(names))
            yield Together(names, 0, elements, _least(trace, names))


def _equal(trace: Trace, names: Sequence[str]) -> int | None:
    """How many elements the run has with these changes, if none of them differs."""
    changed = with_changes(trace, names)
    return None if changed is None else changed.equal_elements()


def _least(trace: Trace, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names without those that the others do not need."""
    for name in names:
        others = tuple(other for other in names if other != name)
        if others and _equal(trace, others) is not None:
            return _least(trace, others)
    return names


def why_golden(
    recording: Recording, columns: Mapping[int, Array], say: Say = lambda _: None
) -> Why:
    """Why the golden integers of some calls are not PyTorch's: what the golden model does in
    another way than the captured engine on its CPU level. `columns`: by call, in its shape."""
    trace = Trace(recording, arithmetic_for(recording) or ARITHMETICS[TEXTBOOK])
    fed = Trace(_fed_with(recording, columns), trace.arithmetic)
    found: list[CallWhy] = []
    known: dict[Changes, None] = {}
    skipped = 0
    for call, golden in columns.items():
        change = _change(golden, recording.values[call])
        if not np.any(change):
            skipped += trace.comparisons[call].status == "not simulated"
            continue
        say(f"explaining {trace.nodes[call].name}")
        fed_by_golden = any(source in columns for source in trace.nodes[call].inputs)
        traces = (trace, fed) if fed_by_golden else (trace,)
        note, diagnosis = _golden_call(traces, call, golden, tuple(known))
        skipped += note.startswith("not simulated")
        counts = (int(np.count_nonzero(change)), golden.size, float(np.abs(change).max()))
        found.append(CallWhy(call, trace.nodes[call].name, *counts, diagnosis, note))
        known |= _sets(diagnosis)
    calls, together = _joined(GOLDEN, trace, found, columns)
    return Why(GOLDEN, trace, calls, together, skipped, columns)


def _golden_call(
    traces: Sequence[Trace], call: int, golden: Array, known: Sequence[Changes]
) -> tuple[str, Diagnosis | None]:
    """What is to be said of a call, and its diagnosis. `traces`: fed PyTorch's integers, and fed
    the golden ones where there are some."""
    other = _another_call(traces[0], call, golden)
    try:
        found = [diagnose(trace, call, golden, known) for trace in traces]
    except NotSimulated as reason:
        return other or f"not simulated: {reason}", None
    if None in found[1:]:
        return "it follows from the differences of its inputs: nothing is wrong here", None
    made = [each for each in found if each is not None]
    best = next((each for each in made if each.explained), made[0] if made else None)
    return other, _beside(best) if other and best is not None else best


def _beside(found: Diagnosis) -> Diagnosis | None:
    """A diagnosis of integers that are another call's, which is the answer: of its causes those
    that say so in other words, that a ReLU was applied or not; None where there is none."""
    if found.doubt:
        return found
    near = tuple(
        cause
        for cause in found.causes
        if all(change.hypothesis.assumption == RELU for change in cause.changes)
    )
    return replace(found, causes=near) if near else None


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


def _another_call(trace: Trace, call: int, golden: Array) -> str:
    """Whether the integers are those of another call."""
    for other, value in enumerate(trace.recording.values):
        if other != call and value.shape == golden.shape and np.array_equal(value, golden):
            return f"these are PyTorch's integers of {trace.nodes[other].name}"
    return ""
