"""What a diagnosis finds: changed assumptions, what they leave, and which of them are causes."""

from __future__ import annotations

from dataclasses import dataclass

from qdbg.assumptions.hypothesis import Hypothesis, named


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
    doubt: str = ""
    """Why the integers say too little to prove a cause; empty where they say enough."""
    unchanged: int = 0
    """Of the elements that every change was tried on, how many differ without any."""

    @property
    def explained(self) -> bool:
        """Whether some set leaves nothing, and that is a proof."""
        return bool(self.causes) and not self.doubt

    @property
    def better(self) -> tuple[Verdict, ...]:
        """The single changes that leave less than there is without them, best first."""
        return tuple(verdict for verdict in self.tried if verdict.left < self.unchanged)

    @property
    def answers(self) -> tuple[tuple[Verdict, ...], ...]:
        """The causes by hypotheses: each with its variants, the likeliest first."""
        by_ids: dict[tuple[str, ...], tuple[Verdict, ...]] = {}
        for verdict in self.causes:
            by_ids[verdict.ids] = (*by_ids.get(verdict.ids, ()), verdict)
        return tuple(by_ids.values())
