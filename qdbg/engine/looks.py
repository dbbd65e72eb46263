"""What a set of changed assumptions leaves of a layer: of a few rows and channels, then of all.

Most sets fail at once, and a few thousand products show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from qdbg.assumptions import Hypothesis, Plan
from qdbg.assumptions.known import Known
from qdbg.core.once import cached_property
from qdbg.core.op import NotSimulated
from qdbg.core.quantity import Array
from qdbg.engine.verdict import Change

PRODUCTS = 300_000
"""How many products are made of the elements that every set is tried on."""
FEWEST, MOST_ROWS = 8, 64
"""How many rows and channels these are at least, and how many rows at most."""
SECOND = 400
"""How many rows a set is tried on that left nothing there, before it is tried on all."""
LARGE = 1 << 20
"""With so many bytes of operands no plans of the whole call are kept."""
KEPT = 400
"""For so many sets, all of whose changes but the last are known, what the last can be is kept."""


def variants(hypothesis: Hypothesis, plan: Plan) -> Iterator[tuple[str, Plan]]:
    """Each way in which the plan can be changed; none where it cannot."""
    try:
        yield from hypothesis.change(plan)
    except NotSimulated:
        return


def apply(plan: Plan, changes: Sequence[Change]) -> Plan | None:
    """The plan with all of these changed; None where one of them no longer applies."""
    for change in changes:
        made = (p for v, p in variants(change.hypothesis, plan) if v == change.variant)
        found = next(made, None)
        if found is None:
            return None
        plan = found
    return plan


def result(plan: Plan, known: Known | None = None) -> Array | None:
    """The plan's numbers; None where stages and operands that were changed do not go together."""
    try:
        return plan.result(known)
    except (NotSimulated, KeyError, ValueError, IndexError, OverflowError):
        return None


class Changed:
    """The whole call with changes that move numbers between its rows or channels: each is made
    once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._made: dict[tuple[tuple[Change, ...], str], dict[str, Plan]] = {}

    def by(self, changes: tuple[Change, ...]) -> Plan | None:
        """The plan with all of them; None where one of them does not apply."""
        if not changes:
            return self.plan
        *before, last = changes
        key = (tuple(before), last.hypothesis.id)
        if key not in self._made:
            plan = self.by(key[0])
            self._made[key] = {} if plan is None else dict(variants(last.hypothesis, plan))
        return self._made[key].get(last.variant)


class Look:
    """Some rows and channels of a layer's result, or all of them."""

    def __init__(
        self,
        moved: Changed,
        target: Array,
        rows: Array | None = None,
        channels: Array | None = None,
    ) -> None:
        self.target = target
        self._moved, self._rows, self._channels = moved, rows, channels
        self._plans: dict[tuple[Change, ...], Plan | None] = {}
        self._made: dict[tuple[tuple[Change, ...], str], dict[str, Plan]] = {}
        self._known = Known()
        operands = moved.plan.values.values()
        whole = sum(getattr(value, "nbytes", 0) for value in operands)
        self._large = rows is None and whole > LARGE

    def left(self, changes: Sequence[Change]) -> int | None:
        """How many of these elements differ with the changes; None where they cannot be made."""
        plan = self._with(tuple(changes))
        made = None if plan is None else result(plan, self._known)
        if made is None or made.size != self.target.size:
            return None
        made = made.reshape(self.target.shape)
        if self.target.dtype == np.float32:
            same = made.astype(np.float32).view(np.int32) == self.target.view(np.int32)
        else:
            same = made == self.target
        return int(same.size - np.count_nonzero(same))

    def _with(self, changes: tuple[Change, ...]) -> Plan | None:
        moving = tuple(change for change in changes if change.hypothesis.moves)
        others = changes[len(moving) :]
        if not others:
            return self._part(moving)
        if self._large:
            plan = self._part(moving)
            return None if plan is None else apply(plan, others)
        return self._after(moving, others)

    def _part(self, moving: tuple[Change, ...]) -> Plan | None:
        """Of the whole call these elements."""
        if moving not in self._plans:
            plan = self._moved.by(moving)
            if plan is not None and self._rows is not None:
                plan = plan.some(self._rows, self._channels)
            if plan is not None:
                self._known.hold(plan.values)
            self._plans[moving] = plan
        return self._plans[moving]

    def _after(self, moving: tuple[Change, ...], changes: tuple[Change, ...]) -> Plan | None:
        if not changes:
            return self._part(moving)
        *before, last = changes
        key = ((*moving, *before), last.hypothesis.id)
        if key not in self._made:
            plan = self._after(moving, tuple(before))
            if len(self._made) >= KEPT:
                self._made.clear()
            self._made[key] = {} if plan is None else dict(variants(last.hypothesis, plan))
        return self._made[key].get(last.variant)


class Elements:
    """A call's elements with what they should be, and which of them are looked at first."""

    def __init__(self, plan: Plan, target: Array) -> None:
        self.plan, self.target = plan, target
        self.moved = Changed(plan)
        self.whole = Look(self.moved, target)

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """From a few elements to the whole."""
        if self.plan.kernel is None:
            return (self.whole,)
        flat = self.target.reshape(-1, self.target.shape[-1])
        inputs = max(1, self.plan.values["w_q"].shape[-1])
        room = max(FEWEST * FEWEST, PRODUCTS // inputs)
        count = self._channels(flat.shape[1], max(FEWEST, room // min(len(flat), MOST_ROWS)))
        first = min(MOST_ROWS, max(FEWEST, room // count))
        sizes = [(first, count), (SECOND, flat.shape[1])]
        sizes = [size for size in sizes if size[0] < len(flat) or size[1] < flat.shape[1]]
        differs = self._differs(flat) if sizes else flat
        return (*(self._some(flat, differs, *size) for size in sizes), self.whole)

    def _channels(self, all_of_them: int, some: int) -> int:
        """How many channels are looked at: all of them where they have inputs of their own."""
        return min(all_of_them, some) if self.plan.one_group else all_of_them

    @cached_property
    def own(self) -> Array | None:
        """The numbers without changes, in the stages' own shape."""
        return result(self.plan)

    def _differs(self, flat: Array) -> Array:
        own = self.own
        return np.zeros(flat.shape, bool) if own is None else own.reshape(flat.shape) != flat

    def _some(self, flat: Array, differs: Array, rows: int, channels: int) -> Look:
        """Rows and channels that differ most, and some that need not."""
        of_channels = _most_and_others(differs.sum(axis=0), channels)
        of_rows = _most_and_others(differs[:, of_channels].sum(axis=1), rows)
        target = flat[of_rows][:, of_channels]
        every = len(of_channels) == flat.shape[1]
        return Look(self.moved, target, of_rows, None if every else of_channels)


def _most_and_others(counts: Array, size: int) -> Array:
    """So many places: half of them those with the largest counts, the others evenly spread."""
    if size >= len(counts):
        return np.arange(len(counts))
    order = np.argsort(-counts, kind="stable")
    even = np.linspace(0, len(counts) - 1, size // 2).astype(np.int64)
    return np.unique(np.concatenate([order[: size - size // 2], even]))
