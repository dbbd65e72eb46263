"""What differs, counted over many runs; counts of parts add up to those of the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from qdbg.core.program import INPUT, Program
from qdbg.core.quantity import Array
from qdbg.core.runs import Runs
from qdbg.engine.compare import delta
from qdbg.fleet.feed import Result
from qdbg.fleet.stack import ELEMENTS, IMAGES, MERGED, POOLS

JOINING = frozenset({"cat", "cat_relu"})
BY_ROW = (
    MERGED | IMAGES | POOLS | JOINING | frozenset(ELEMENTS)
    | frozenset(f"linear{relu}_dynamic" for relu in ("", "_relu"))
    | frozenset(f"batch_norm{axes}" for axes in ("", "1d", "2d", "3d"))
    | {"quantize_dynamic", "embedding", "layer_norm", "group_norm", "instance_norm"}
    | {"sigmoid", "tanh", "hardswish", "hardsigmoid", "elu", "celu", "leaky_relu", "gelu"}
    | {"add_scalar", "mul_scalar", "view", "flatten", "unsqueeze", "clone", "contiguous", "detach"}
)  # fmt: skip
"""Ops whose result has a row for each of their operand's, in its order, if it has as many."""


@dataclass(slots=True)
class Tally:
    """One call under one arithmetic, compared with PyTorch's values."""

    elements: int = 0
    """Values compared."""
    differences: int = 0
    samples: int = 0
    """Samples with a difference; with `by_run` these are all samples of the runs that have one."""
    max_delta: float = 0
    first: int | None = None
    """The first sample with a difference; with `by_run` the first one of its run."""
    by_run: bool = False
    """Of runs of several samples it is not known which row of the result is whose."""
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
        self.by_run |= other.by_run
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


def _samples(runs: Runs, call: int, different: Array) -> Array:
    """int64: the samples that have a difference, of bool [n, …]."""
    batch = runs.first.input.shape[0]
    rows = batch if by_sample(runs.first.program, batch)[call] else 1
    own = different.reshape(len(runs), rows, -1).any(axis=2)
    numbers = runs.samples[:, None] + np.arange(batch)
    return np.asarray(numbers[np.broadcast_to(own, numbers.shape)])


@lru_cache(maxsize=16)
def by_sample(program: Program, batch: int) -> tuple[bool, ...]:
    """Per call of a run of `batch` samples, whether each row of its result is known to be that of
    one of them, in their order."""
    found: list[bool] = []
    for node in program.nodes:
        fed = [source for source in node.inputs if source == INPUT or source >= 0]
        same = bool(fed) and all(source == INPUT or found[source] for source in fed)
        joins = node.op in JOINING and int(str(node.settings.get("dim", 0))) % len(node.shape) == 0
        found.append(same and node.shape[:1] == (batch,) and node.op in BY_ROW and not joins)
    return tuple(batch == 1 or each for each in found)


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
    own = _samples(runs, call, different)
    found.samples, found.first = len(own), int(own.min())
    found.by_run = not by_sample(runs.first.program, runs.first.input.shape[0])[call]
    changes: Array = delta(result.values[different], captured[different])
    sizes = np.abs(changes.astype(np.float64))
    found.max_delta = float(np.where(np.isnan(sizes), np.inf, sizes).max())
    if captured.dtype != np.float32:
        numbers, counts = np.unique(changes, return_counts=True)
        found.histogram = Counter(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
    return found
