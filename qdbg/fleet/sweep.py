"""Many samples under a few arithmetics, in parts that worker processes can take."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from qdbg.core.arithmetic import ARITHMETICS
from qdbg.core.runs import Runs
from qdbg.fleet.feed import Fleet, Machine
from qdbg.fleet.tally import Tally, tally

PART = 64
"""Runs of a part: the same for any number of workers, and so is every count."""
SAFE = "PYTHONSAFEPATH"
Counts = list[dict[str, Tally]]
"""For each arithmetic the tallies by call."""


def sweep_part(runs: Runs, names: Sequence[str], feed: str) -> Counts:
    """Simulate some runs under each arithmetic. Runs in a worker process."""
    machines = [Machine(name, ARITHMETICS[name]) for name in names]
    found: Counts = [{} for _ in machines]
    with np.errstate(all="ignore"):  # what float32 cannot hold is PyTorch's affair
        for call, results in Fleet(runs, machines, feed).calls():
            for own, result in zip(found, results, strict=True):
                own[runs.nodes[call].name] = tally(runs, call, result)
    return found


def parts_of(portions: Sequence[Runs]) -> list[Runs]:
    """What the workers are given."""
    return [
        runs.part(start, start + PART) for runs in portions for start in range(0, len(runs), PART)
    ]


def sweep(
    portions: Sequence[Runs],
    names: Sequence[str],
    feed: str,
    jobs: int,
    tell: Callable[[int], None],
) -> Counts:
    """All runs; `tell` hears how many more of them are done."""
    parts = parts_of(portions)
    total: Counts = [{} for _ in names]
    for part, counts in zip(parts, _made(parts, names, feed, jobs), strict=True):
        for own, more in zip(total, counts, strict=True):
            for name, each in more.items():
                own.setdefault(name, Tally()).add(each)
        tell(len(part))
    return total


def _made(parts: Sequence[Runs], names: Sequence[str], feed: str, jobs: int) -> Iterator[Counts]:
    if jobs == 1 or len(parts) == 1:
        yield from (sweep_part(part, names, feed) for part in parts)
        return
    joblib = importlib.import_module("joblib")
    workers = joblib.Parallel(
        n_jobs=min(jobs, len(parts)), backend="loky", return_as="generator", pre_dispatch="2*n_jobs"
    )
    with _own_modules_only():
        yield from workers(joblib.delayed(sweep_part)(part, names, feed) for part in parts)


@contextlib.contextmanager
def _own_modules_only() -> Iterator[None]:
    """Workers do not look for modules in the working directory: a `numpy.py` there is not ours to
    run."""
    before = os.environ.get(SAFE)
    os.environ[SAFE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE]
        else:
            os.environ[SAFE] = before
