"""What to draw next: every generator some cases, then the ops that are behind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MILLION = 10**6
LEAST_CASES = 200
"""So many cases each generator draws, whatever its ops have: small cases bring odd shapes."""
LONG = 4
"""Large cases are so many times as long while an op is behind."""
SOME = 4
"""One case in so many is of any size while an op is behind."""
DEAR = 3.0
"""A slow generator, or a slow op, may take this many times an even share of the budget before the
others get theirs."""


@dataclass(slots=True)
class Work:
    """How much was done for one generator."""

    cases: int = 0
    seconds: float = 0.0
    compared: Counter[str] = field(default_factory=Counter)
    """Integers, by op."""

    def rate(self, op: str) -> float:
        """Integers of the op that it gives in a second."""
        return self.compared[op] / max(self.seconds, 1e-9)


class Progress:
    """How far each op has come on the way to a million integers."""

    def __init__(self, names: Iterable[str], budget: float, least: int = 0) -> None:
        self.work = {name: Work() for name in names}
        self.budget = budget
        self.least = least
        """How many cases each generator draws before the budget counts."""
        self.compared: Counter[str] = Counter()
        """Integers, by op."""
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._op = ""

    @property
    def owed(self) -> list[str]:
        """The generators that have not drawn the least number of cases."""
        return [name for name, work in self.work.items() if work.cases < self.least]

    def choose(self) -> str | None:
        """The generator to draw from; None when all ops have their million."""
        share = DEAR * self.budget / max(1, len(self.work))
        young = self.owed or [
            name
            for name, work in self.work.items()
            if work.cases < LEAST_CASES and work.seconds < share
        ]
        if young:
            self._op = ""
            return min(young, key=lambda name: self.work[name].cases)
        behind = [op for op, compared in self.compared.items() if 0 < compared < MILLION]
        if not behind:
            return None
        self._op = min(behind, key=self._done)
        return max(self.work, key=lambda name: self.work[name].rate(self._op))

    def large(self, name: str) -> int:
        """How many times as long as usual the next case is, 0 for one of any size: most are long
        while an op is behind, and not all, as some ops come in small cases alone."""
        return LONG if self._op and self.work[name].cases % SOME else 0

    def add(self, name: str, seconds: float, compared: Mapping[str, int]) -> None:
        """A case of the generator took so long, and gave so many integers by op."""
        work = self.work[name]
        work.cases += 1
        work.seconds += seconds
        work.compared.update(compared)
        self.compared.update(compared)
        self._seconds[self._op] += seconds

    def _done(self, op: str) -> float:
        share = DEAR * self.budget / max(1, len(self.compared))
        return max(self.compared[op] / MILLION, self._seconds[op] / share)
