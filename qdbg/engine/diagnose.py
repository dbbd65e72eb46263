"""Why integers differ: which smallest set of changed assumptions leaves no difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from qdbg.assumptions import Plan, changed, registry
from qdbg.assumptions.hypothesis import Hypothesis, named
from qdbg.assumptions.plan import Known
from qdbg.core.op import NotSimulated, laid_out
from qdbg.core.quantity import Array
from qdbg.core.work import doing
from qdbg.engine.trace import Trace
from qdbg.ops import registry as ops

PRODUCTS, FEWEST, MOST_ROWS = 300_000, 2, 64
"""How many products are made for the rows that every set is tried on, and how many rows these are
at least and at most."""
SECOND = 400
"""How many rows a set is tried on that left nothing there, before it is tried on all."""
BEAM = 24
"""How many of the best pairs are extended by a third change, and by a fourth."""
USUAL = ("captured-before-relu", "pair-saturation", "bias-rounded", "bias-float")
"""The causes that are met most often: ties begin with them."""
MOST = 4
"""The largest number of changed assumptions that are looked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """One hypothesis in one of its variants."""

    hypothesis: Hypothesis
    variant: str

    @property
    def name(self) -> str:
        """`rounding=truncated`: what --arith takes behind a `+`."""
        return named(self.hypothesis.id, self.variant)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Some assumptions changed together, and what they leave."""

    changes: tuple[Change, ...]
    left: int
    """Elements that still differ."""
    seen: int
    """Elements that were looked at: all of them for a cause."""
    same_as: tuple[tuple[str, ...], ...] = ()
    """Sets of other names with the very same stages and operands."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The hypotheses' ids."""
        return tuple(change.hypothesis.id for change in self.changes)

    @property
    def names(self) -> tuple[str, ...]:
        """The ids with their variants."""
        return tuple(change.name for change in self.changes)

    @property
    def weight(self) -> int:
        """How many assumptions are changed."""
        return sum(change.hypothesis.weight for change in self.changes)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why one call's simulated or golden integers are not the other side's."""

    call: int
    differences: int
    elements: int
    tried: tuple[Verdict, ...]
    """Each single change with what it leaves, best first."""
    causes: tuple[Verdict, ...]
    """The smallest sets that leave nothing, in all variants; none: unexplained."""
    exhaustive: bool
    """Whether every set up to the size of the causes was tried."""

    @property
    def explained(self) -> bool:
        """Whether some set leaves nothing."""
        return bool(self.causes)

    @property
    def answers(self) -> tuple[tuple[Verdict, ...], ...]:
        """The causes by hypotheses: each with its variants, the likeliest first."""
        by_ids: dict[tuple[str, ...], tuple[Verdict, ...]] = {}
        for verdict in self.causes:
            by_ids[verdict.ids] = (*by_ids.get(verdict.ids, ()), verdict)
        return tuple(by_ids.values())


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """Some rows of a layer's result, or all of them."""

    plan: Plan
    target: Array
    rows: Array | None = None
    known: Known | None = None

    def left(self, changes: Sequence[Change]) -> int | None:
        """How many of these elements differ with the changes; None where they cannot be made."""
        plan = apply(self.plan, changes)
        if plan is not None and self.rows is not None and plan.call is not self.plan.call:
            plan = plan.some(self.rows)  # its operands were made anew, from all of the input
        made = None if plan is None else _result(plan, self.known)
        if made is None or made.size != self.target.size:
            return None
        made = made.reshape(self.target.shape)
        if self.target.dtype == np.float32:
            same = made.astype(np.float32).view(np.int32) == self.target.view(np.int32)
        else:
            same = made == self.target
        return int(same.size - np.count_nonzero(same))


class _Layer:
    """One call, what is to be explained, and which rows are looked at before the others."""

    def __init__(self, plan: Plan, target: Array) -> None:
        self.plan, self.target = plan, target
        self.whole = _Look(plan, target, known=Known(plan.values))

    @cached_property
    def looks(self) -> tuple[_Look, ...]:
        """From a few rows to the whole: most sets fail at once."""
        if self.plan.kernel is None:
            return (self.whole,)
        flat = self.target.reshape(-1, self.target.shape[-1])
        each = self.plan.values["w_q"].size
        first = min(max(FEWEST, PRODUCTS // max(1, each)), MOST_ROWS)
        sizes = [size for size in (first, SECOND) if size < len(flat)]
        order = self._by_differences(flat) if sizes else np.arange(0)
        return (*(self._some(flat, order, size) for size in sizes), self.whole)

    def _by_differences(self, flat: Array) -> Array:
        own = _result(self.plan)
        count = np.zeros(len(flat)) if own is None else (own.reshape(flat.shape) != flat).sum(1)
        return np.argsort(-count, kind="stable")

    def _some(self, flat: Array, order: Array, size: int) -> _Look:
        """Rows that differ most, and some that need not."""
        even = np.linspace(0, len(flat) - 1, size // 2).astype(np.int64)
        rows = np.unique(np.concatenate([order[: size // 2], even]))
        plan = self.plan.some(rows)
        return _Look(plan, flat[rows], rows, Known(plan.values))


def _result(plan: Plan, known: Known | None = None) -> Array | None:
    try:
        return plan.result(known)
    except (NotSimulated, KeyError, ValueError, IndexError, OverflowError):
        return None  # stages and operands that were changed do not go together


def diagnose(trace: Trace, call: int, target: Array) -> Diagnosis | None:
    """Which changes of the trace's arithmetic give `target`, the integers of the call's result.

    `target` has the call's shape, of any integer dtype or float32. None where nothing differs.
    Raises NotSimulated where the call is not simulated.
    """
    layer = _layer(trace, call, target)
    found = layer.whole.left(())
    if not found:
        return None
    ran = trace.recording.environment
    return _search(layer, call, found, f"{ran.engine}-{ran.cpu}")


def _layer(trace: Trace, call: int, target: Array) -> _Layer:
    node = trace.nodes[call]
    op = ops().get(node.op)
    if op is None:
        raise NotSimulated(f"qdbg does not know the arithmetic of {node.op}")
    made = trace.call(call)
    plan = Plan.of(op, made, trace.arithmetic, laid_out(op, made))
    plan = changed(plan, trace.arithmetic.changes)
    plan.stages  # noqa: B018 - raises NotSimulated
    return _Layer(plan, np.moveaxis(target, 1, -1) if op.channels_last else target)


def _search(layer: _Layer, call: int, differences: int, ran: str) -> Diagnosis:
    changes = _changes(layer.looks[0].plan)
    singles = _tried(layer, [(change,) for change in changes])
    causes, exhaustive = _smallest(layer, changes, singles)
    causes = _merged(layer.plan, _ordered(causes, ran))
    best = sorted(singles, key=lambda v: (v.left, v.weight))
    return Diagnosis(call, differences, layer.target.size, tuple(best), causes, exhaustive)


def _changes(plan: Plan) -> list[Change]:
    return [
        Change(hypothesis, variant)
        for hypothesis in registry().values()
        for variant, _ in _variants(hypothesis, plan)
    ]


def _variants(hypothesis: Hypothesis, plan: Plan) -> Iterator[tuple[str, Plan]]:
    try:
        yield from hypothesis.change(plan)
    except NotSimulated:
        return


def apply(plan: Plan, changes: Sequence[Change]) -> Plan | None:
    """The plan with all of these changed; None where one of them no longer applies."""
    for change in changes:
        found = dict(_variants(change.hypothesis, plan)).get(change.variant)
        if found is None:
            return None
        plan = found
    return plan


def _tried(layer: _Layer, sets: Sequence[tuple[Change, ...]]) -> list[Verdict]:
    """What each set leaves, on the rows that are looked at first."""
    first = layer.looks[0]
    found = []
    for number, changes in enumerate(sets):
        doing(" + ".join(change.name for change in changes), number, len(sets))
        left = first.left(changes)
        if left is not None:
            found.append(Verdict(changes, left, first.target.size))
    return found


def _whole(layer: _Layer, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those that leave nothing, also in all the other rows."""
    held = [verdict for verdict in verdicts if not verdict.left]
    for look in layer.looks[1:]:
        left = []
        for number, verdict in enumerate(held):
            doing(f"{' + '.join(verdict.names)}, on more elements", number, len(held))
            if look.left(verdict.changes) == 0:
                left.append(Verdict(verdict.changes, 0, look.target.size))
        held = left
    return held


def _smallest(
    layer: _Layer, changes: Sequence[Change], singles: Sequence[Verdict]
) -> tuple[tuple[Verdict, ...], bool]:
    by_weight: dict[int, list[Verdict]] = {}
    for verdict in _whole(layer, singles):
        by_weight.setdefault(verdict.weight, []).append(verdict)
    if 1 in by_weight:
        return tuple(by_weight[1]), True
    pairs = _tried(layer, _sets(changes, 2))
    for verdict in _whole(layer, pairs):
        by_weight.setdefault(verdict.weight, []).append(verdict)
    if 2 in by_weight:  # noqa: PLR2004 - two changed assumptions, or one heavy one
        return tuple(by_weight[2]), True
    grown = list(pairs)
    for size in range(3, MOST + 1):
        grown = _grown(layer, changes, grown)
        for verdict in _whole(layer, grown):
            by_weight.setdefault(verdict.weight, []).append(verdict)
        if size in by_weight:
            break
    least = min(by_weight, default=0)
    return tuple(by_weight.get(least, ())), False


def _fits(changes: Sequence[Change]) -> bool:
    kinds = [change.hypothesis.assumption for change in changes]
    return len(set(kinds)) == len(kinds)


def _sets(changes: Sequence[Change], size: int) -> list[tuple[Change, ...]]:
    light = [change for change in changes if change.hypothesis.weight == 1]
    return [found for found in combinations(light, size) if _fits(found)]


def _grown(layer: _Layer, changes: Sequence[Change], smaller: Sequence[Verdict]) -> list[Verdict]:
    """The best of the smaller sets with one more change each."""
    best = sorted(smaller, key=lambda verdict: verdict.left)[:BEAM]
    order = {change: i for i, change in enumerate(changes)}
    light = [change for change in changes if change.hypothesis.weight == 1]
    sets = {
        tuple(sorted((*verdict.changes, change), key=order.__getitem__))
        for verdict in best
        for change in light
        if _fits((*verdict.changes, change))
    }
    return _tried(layer, sorted(sets, key=lambda found: [order[c] for c in found]))


def _ordered(causes: Sequence[Verdict], ran: str) -> list[Verdict]:
    """What is met most often first; then the variants of the captured engine and level, then of
    the engine, then the others."""
    engine = ran.partition("-")[0]

    def distance(verdict: Verdict) -> tuple[int, int, int]:
        variants = [change.variant for change in verdict.changes]
        unusual = sum(id_ not in USUAL for id_ in verdict.ids)
        return unusual, sum(ran != v for v in variants), sum(engine not in v for v in variants)

    return sorted(causes, key=distance)


def _merged(plan: Plan, causes: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Sets that lead to the very same stages and operands are one cause by two names."""
    found: dict[tuple[object, ...], Verdict] = {}
    for verdict in causes:
        key = _identity(apply(plan, verdict.changes))
        if key in found:
            first = found[key]
            found[key] = replace(first, same_as=(*first.same_as, verdict.names))
        else:
            found[key] = verdict
    return tuple(found.values())


def _identity(plan: Plan | None) -> tuple[object, ...]:
    if plan is None:
        return (id(plan),)
    values: Mapping[str, object] = plan.values
    held = tuple((name, np.asarray(value).tobytes()) for name, value in sorted(values.items()))
    stages = plan.stages
    return (tuple((s.formula, s.output, s.name) for s in stages), held)


def left_by(trace: Trace, call: int, target: Array, causes: Sequence[Verdict]) -> tuple[int, ...]:
    """What each of the causes leaves in another run of the same call."""
    layer = _layer(trace, call, target)
    left = [layer.whole.left(verdict.changes) for verdict in causes]
    return tuple(target.size if each is None else each for each in left)


def still_fit(
    trace: Trace, call: int, target: Array, causes: Sequence[Verdict]
) -> tuple[Verdict, ...]:
    """Those of the causes that leave nothing in another run of the same call either."""
    left = left_by(trace, call, target, causes)
    return tuple(cause for cause, each in zip(causes, left, strict=True) if each == 0)


def results(trace: Trace, call: int, causes: Sequence[Verdict]) -> tuple[Array | None, ...]:
    """The integers that each of the causes gives in another run of the same call."""
    layer = _layer(trace, call, trace.recording.values[call])
    plans = (apply(layer.plan, verdict.changes) for verdict in causes)
    made = (None if plan is None else _result(plan) for plan in plans)
    return tuple(None if each is None else each.astype(np.float64) for each in made)
