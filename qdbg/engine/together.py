"""What explains several calls: the causes of each, joined into the smallest sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from qdbg.engine.verdict import Diagnosis

MOST_UNIONS = 500
"""How many sets of changes are kept while they are joined from call to call."""
Names: TypeAlias = tuple[str, ...]


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
    """A cause of each call."""
    left: int
    elements: int
    least: tuple[str, ...] = ()
    """What of it does: a change can stand for others that were found elsewhere."""


def smallest_unions(calls: Sequence[CallWhy]) -> tuple[Names, ...]:
    """The smallest sets of changes that hold a cause of each call that has one, those in doubt left
    aside; none where one is unexplained.

    Ties of one call are settled by the others: what explains them too needs no further change.
    """
    unions: dict[frozenset[str], Names] = {frozenset(): ()}
    for diagnosis in (call.diagnosis for call in calls):
        if diagnosis is None or (diagnosis.causes and diagnosis.doubt):
            continue
        if not diagnosis.explained:
            return ()
        grown: dict[frozenset[str], Names] = {}
        for names in unions.values():
            for verdict in diagnosis.causes:
                both = tuple(dict.fromkeys((*names, *verdict.names)))
                grown.setdefault(frozenset(both), both)
        kept = sorted(grown.values(), key=len)[:MOST_UNIONS]
        unions = {frozenset(names): names for names in kept}
    least = min(map(len, unions.values()), default=0)
    return tuple(names for names in unions.values() if len(names) == least and names)


def settled(calls: Sequence[CallWhy], unions: Sequence[Names]) -> tuple[CallWhy, ...]:
    """The calls; what explains the others is no longer in doubt where it leaves nothing either."""
    return tuple(_settled(call, [set(names) for names in unions]) for call in calls)


def _settled(call: CallWhy, unions: Sequence[set[str]]) -> CallWhy:
    found = call.diagnosis
    if found is None or not found.doubt:
        return call
    held = tuple(v for v in found.causes if any(set(v.names) <= names for names in unions))
    return replace(call, diagnosis=replace(found, causes=held, doubt="")) if held else call


def for_all(calls: Sequence[CallWhy], unions: Sequence[Names]) -> tuple[Names, ...]:
    """Those of the sets that hold a cause of every call."""
    causes = [call.diagnosis.causes for call in calls if call.diagnosis is not None]
    if not all(call.explained for call in calls):
        return ()
    return tuple(
        names
        for names in unions
        if all(any(set(v.names) <= set(names) for v in of_call) for of_call in causes)
    )


def ids_of(names: Names) -> frozenset[str]:
    """The hypotheses of a set, without their variants."""
    return frozenset(name.partition("=")[0] for name in names)
