"""Why integers differ: which smallest set of changed assumptions leaves no difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TypeAlias

import numpy as np

from qdbg.assumptions import Plan, changed, registry
from qdbg.assumptions.hypothesis import OWN
from qdbg.core.op import NotSimulated, laid_out
from qdbg.core.quantity import Array
from qdbg.core.work import doing
from qdbg.engine.looks import Elements, apply, result, variants
from qdbg.engine.telling import chance, doubt
from qdbg.engine.trace import Trace
from qdbg.engine.verdict import Change, Diagnosis, Verdict
from qdbg.ops import registry as ops

BEAM = 24
"""How many of the best pairs are extended by a third change, and by a fourth."""
USUAL = ("captured-before-relu", "pair-saturation", "bias-rounded", "bias-float")
"""The causes that are met most often: ties begin with them."""
MOST = 4
"""The largest number of changed assumptions that are looked for."""
Changes: TypeAlias = tuple[Change, ...]


def diagnose(
    trace: Trace, call: int, target: Array, known: Sequence[Changes] = ()
) -> Diagnosis | None:
    """Which changes of the trace's arithmetic give `target`, the integers of the call's result.

    `target` has the call's shape, of any integer dtype or float32. `known` are sets of changes that
    explain other calls: where one change alone does not do, and one of them does, no other sets are
    tried. None where nothing differs. Raises NotSimulated where the call is not simulated.
    """
    layer = _layer(trace, call, target)
    found = layer.whole.left(())
    if not found:
        return None
    ran = trace.recording.environment
    causes, singles, every = _search(layer, known)
    merged = _merged(layer.plan, _ordered(causes, f"{ran.engine}-{ran.cpu}"))
    tried = tuple(sorted(singles, key=lambda v: (v.left, v.weight)))
    reason = doubt(target, trace.nodes[call].output) or _by_chance(layer, merged, len(tried))
    unchanged = layer.looks[0].left(()) or 0
    return Diagnosis(call, found, target.size, tried, merged, every, reason, unchanged)


def _by_chance(layer: Elements, causes: Sequence[Verdict], changes: int) -> str:
    """Why the causes may fit by chance; empty where that is unlikely."""
    own = layer.own
    if not causes or own is None:
        return ""
    return chance(layer.target, own.reshape(layer.target.shape), changes, causes[0].weight)


def _layer(trace: Trace, call: int, target: Array) -> Elements:
    node = trace.nodes[call]
    op = ops().get(node.op)
    if op is None:
        raise NotSimulated(f"qdbg does not know the arithmetic of {node.op}")
    made = trace.call(call)
    plan = Plan.of(op, made, trace.arithmetic, laid_out(op, made))
    plan = changed(plan, trace.arithmetic.changes)
    plan.stages  # noqa: B018 - raises NotSimulated
    return Elements(plan, np.moveaxis(target, 1, -1) if op.channels_last else target)


def _changes(plan: Plan) -> list[Change]:
    """What can be changed about the call, first what moves numbers."""
    found = [
        Change(hypothesis, variant)
        for hypothesis in registry().values()
        for variant, _ in variants(hypothesis, plan)
    ]
    return sorted(found, key=lambda change: not change.hypothesis.moves)


def _tried(layer: Elements, sets: Sequence[Changes]) -> list[Verdict]:
    """What each set leaves, on the elements that are looked at first."""
    first = layer.looks[0]
    found = []
    for number, changes in enumerate(sets):
        doing(" + ".join(change.name for change in changes), number, len(sets))
        left = first.left(changes)
        if left is not None:
            found.append(Verdict(changes, left, first.target.size))
    return found


def _whole(layer: Elements, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those that leave nothing, also in all the other elements."""
    held = [verdict for verdict in verdicts if not verdict.left]
    for look in layer.looks[1:]:
        left = []
        for number, verdict in enumerate(held):
            doing(f"{' + '.join(verdict.names)}, on more elements", number, len(held))
            if look.left(verdict.changes) == 0:
                left.append(Verdict(verdict.changes, 0, look.target.size))
        held = left
    return held


def _search(layer: Elements, known: Sequence[Changes]) -> tuple[list[Verdict], list[Verdict], bool]:
    """The causes, what each single change leaves, and whether all sets up to the causes' size were
    tried."""
    changes = _changes(layer.plan)
    singles = _tried(layer, [(change,) for change in changes])
    held = _whole(layer, singles)
    found = [verdict for verdict in held if verdict.weight == 1]
    if found:
        return found, singles, True
    pairs: list[Verdict] = []
    for weight in range(2, MOST + 1):
        heavy = [verdict for verdict in held if verdict.weight == weight]
        found = _whole(layer, _tried(layer, _parts(known, changes, weight)))
        if found:
            return [*heavy, *found], singles, False
        pairs = _grown(layer, changes, pairs) if pairs else _tried(layer, _pairs(changes))
        found = _whole(layer, [*pairs, *_tried(layer, _with_heavy(changes, weight))])
        if heavy or found:
            return [*heavy, *found], singles, weight == 2  # noqa: PLR2004 - pairs are all tried
    return [], singles, False


def _parts(known: Sequence[Changes], changes: Sequence[Change], weight: int) -> list[Changes]:
    """The known sets and parts of them that change so many assumptions."""
    order = {change: i for i, change in enumerate(changes)}
    parts = {
        tuple(sorted(part, key=order.__getitem__))
        for found in known
        if all(change in order for change in found)
        for size in range(2, len(found) + 1)
        for part in combinations(found, size)
        if sum(change.hypothesis.weight for change in part) == weight
    }
    return sorted(parts, key=lambda part: [order[change] for change in part])


def _fits(changes: Sequence[Change]) -> bool:
    kinds = [c.hypothesis.assumption for c in changes if c.hypothesis.assumption != OWN]
    return len(set(kinds)) == len(kinds)


def _pairs(changes: Sequence[Change]) -> list[Changes]:
    light = [change for change in changes if change.hypothesis.weight == 1]
    return [found for found in combinations(light, 2) if _fits(found)]


def _with_heavy(changes: Sequence[Change], weight: int) -> list[Changes]:
    """A change that stands for several with one more, where that changes so many assumptions."""
    return [
        found
        for found in combinations(changes, 2)
        if sum(change.hypothesis.weight for change in found) == weight > 2  # noqa: PLR2004 - a pair
        and _fits(found)
    ]


def _grown(layer: Elements, changes: Sequence[Change], smaller: Sequence[Verdict]) -> list[Verdict]:
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
    the engine, then the others. A whole engine says least, and comes last."""
    engine = ran.partition("-")[0]

    def distance(verdict: Verdict) -> tuple[bool, int, int, int]:
        variants = [change.variant for change in verdict.changes]
        engines = any(change.hypothesis.assumption == "engine" for change in verdict.changes)
        unusual = sum(id_ not in USUAL for id_ in verdict.ids)
        others = sum(ran != v for v in variants), sum(engine not in v for v in variants)
        return engines, unusual, *others

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
    made = (None if plan is None else result(plan) for plan in plans)
    return tuple(None if each is None else each.astype(np.float64) for each in made)
