"""Many samples under a few arithmetics, in parts that worker processes can take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from qdbg.core.runs import Runs
from qdbg.core.versions import arithmetics, release_of
from qdbg.fleet.feed import Fleet, Machine
from qdbg.fleet.tally import Tally, tally
from qdbg.fleet.workers import Workers, parts_of

Counts = list[dict[str, Tally]]
"""For each arithmetic the tallies by call."""


def sweep_part(runs: Runs, names: Sequence[str], feed: str) -> Counts:
    """Simulate some runs under each arithmetic. Runs in a worker process."""
    presets = arithmetics(release_of(runs.first.environment.torch))
    machines = [Machine(name, presets[name]) for name in names]
    found: Counts = [{} for _ in machines]
    with np.errstate(all="ignore"):  # what float32 cannot hold is PyTorch's affair
        for call, results in Fleet(runs, machines, feed).calls():
            for own, result in zip(found, results, strict=True):
                own[runs.nodes[call].name] = tally(runs, call, result)
    return found


def sweep(
    portions: Sequence[Runs],
    names: Sequence[str],
    feed: str,
    workers: Workers,
    tell: Callable[[int], None],
) -> Counts:
    """All runs; `tell` hears how many more of them are done."""
    parts = parts_of(portions)
    total: Counts = [{} for _ in names]
    made = workers.each(partial(sweep_part, names=names, feed=feed), parts)
    for part, counts in zip(parts, made, strict=True):
        for own, more in zip(total, counts, strict=True):
            for name, each in more.items():
                own.setdefault(name, Tally()).add(each)
        tell(len(part))
    return total
