"""What differs, counted over many runs; counts of parts add up to those of the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from qdbg.core.quantity import Array
from qdbg.core.runs import Runs
from qdbg.engine.compare import delta
from qdbg.fleet.feed import Result


@dataclass(slots=True)
class Tally:
    """One call under one arithmetic, compared with PyTorch's values."""

    elements: int = 0
    """Values compared."""
    differences: int = 0
    samples: int = 0
    """Runs with a difference."""
    max_delta: float = 0
    first: int | None = None
    """The first sample with a difference; of a run of several, the first of them."""
    histogram: Counter[int] = field(default_factory=Counter)
    """How often each Δ other than 0 occurs; empty for float32 results."""
    unknown: int = 0
    """Values that are not simulated."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why, with the number of runs."""
    unknown_first: int | None = None
    """The first sample that is not simulated."""

    def add(self, other: Tally) -> None:
        """Add the counts of other runs."""
        self.elements += other.elements
        self.differences += other.differences
        self.samples += other.samples
        self.max_delta = max(self.max_delta, other.max_delta)
        self.first = _least(self.first, other.first)
        self.histogram.update(other.histogram)
        self.unknown += other.unknown
        self.reasons.update(other.reasons)
        self.unknown_first = _least(self.unknown_first, other.unknown_first)

    @property
    def status(self) -> str:
        """`equal`, `differs` or `not simulated`, as a call of a single run."""
        if self.differences:
            return "differs"
        return "not simulated" if self.unknown else "equal"


def _least(one: int | None, other: int | None) -> int | None:
    return min((n for n in (one, other) if n is not None), default=None)


def tally(runs: Runs, call: int, result: Result) -> Tally:
    """Compare one call of all runs."""
    captured, size = runs.values[call], int(np.prod(runs.values[call].shape[1:], dtype=np.int64))
    found = Tally(
        elements=size * (len(runs) - len(result.unknown)),
        unknown=size * len(result.unknown),
        reasons=Counter(result.unknown.values()),
    )
    if result.unknown:
        found.unknown_first = int(runs.samples[min(result.unknown)])
    different = result.different(captured)
    found.differences = int(np.count_nonzero(different))
    if not found.differences:
        return found
    own = different.reshape(len(runs), -1).any(axis=1)
    found.samples = int(np.count_nonzero(own))
    found.first = int(runs.samples[np.flatnonzero(own)[0]])
    changes: Array = delta(result.values[different], captured[different])
    sizes = np.abs(changes.astype(np.float64))
    found.max_delta = float(np.where(np.isnan(sizes), np.inf, sizes).max())
    if captured.dtype != np.float32:
        numbers, counts = np.unique(changes, return_counts=True)
        found.histogram = Counter(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
    return found
