"""All runs of a set of samples by PyTorch: in one child, or a share of them in each of a few."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Lock

from qdbg.capture import Request, capture_many, importing_torch_once
from qdbg.capture.request import running, sample_in
from qdbg.core.runs import Runs

CHILDREN = 2
"""How many processes run PyTorch at a time: each needs hundreds of megabytes."""
WORTH = 256
"""Fewer runs than these are not worth another child."""
Share = tuple[int, int]


def recorded(
    request: Request, progress: Callable[[str], None], jobs: int | None = None
) -> list[Runs]:
    """All runs in the order of the samples, by up to `jobs` children; None: as many as there are
    cores, but CHILDREN at most. Raises CaptureError and its kin, for the first sample of those that
    cannot be run."""
    limit = min(CHILDREN, jobs or len(os.sched_getaffinity(0)))
    shares = shares_of(len(request.sample.values), request.batch, limit)
    if len(shares) == 1:
        return list(capture_many(request, progress, lambda: False))
    stopped, told = Event(), Told(shares, progress)

    def run(number: int) -> list[Runs]:
        one = replace(request, share=shares[number])
        return list(capture_many(one, lambda words: told.hear(number, words), stopped.is_set))

    with importing_torch_once(), ThreadPoolExecutor(len(shares)) as pool:
        try:
            return [runs for found in pool.map(run, range(len(shares))) for runs in found]
        finally:
            stopped.set()


def shares_of(samples: int, batch: int, limit: int) -> list[Share]:
    """From which sample to which each child runs, whole batches each."""
    runs = -(-samples // batch)
    count = max(1, min(limit, runs // WORTH))
    ends = [runs * n // count * batch for n in range(count)]
    return list(zip(ends, [*ends[1:], samples], strict=True))


class Told:
    """What several children tell, as if there were one."""

    def __init__(self, shares: list[Share], progress: Callable[[str], None]) -> None:
        self._shares, self._progress = shares, progress
        self._done = [0] * len(shares)
        self._lock = Lock()

    def hear(self, number: int, words: str) -> None:
        """What one child says: the number of its sample, or what it begins with."""
        with self._lock:
            sample = sample_in(words)
            if sample is None:
                if not any(self._done):
                    self._progress(words)
                return
            self._done[number] = sample - self._shares[number][0]
            self._progress(running(sum(self._done), self._shares[-1][1]))
