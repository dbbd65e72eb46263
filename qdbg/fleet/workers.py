"""Parts of the work in worker processes by joblib, on this machine or on a Dask cluster.

The parts are the same for any number of workers, and what they give comes in their order.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any, TypeVar

from qdbg.core.runs import Runs
from qdbg.errors import QdbgError
from qdbg.names import DASK

PART = 64
"""Runs of a part: the same for any number of workers, and so is every count."""
WORTH = 3.0
"""Unless a number is asked for, less work than this many seconds of one core is not worth starting
processes: each imports numpy and the simulation first …"""
IMPORTS = 1.0
"""… which takes no longer than this."""
SAFE = "PYTHONSAFEPATH"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Workers:
    """How many, and where."""

    jobs: int | None = None
    """None: as many as there are cores, where there is enough to do."""
    backend: str = "loky"
    """A backend of joblib's; behind `dask=` the address of a running cluster's scheduler."""

    def each(self, job: Callable[[Runs], T], parts: Sequence[Runs]) -> Iterator[T]:
        """What the job gives for each part. Raises QdbgError where the backend cannot be used."""
        left = deque(parts)
        if self.jobs is None and self.backend == "loky":
            took = 0.0
            while left and took * len(left) <= WORTH:
                began = time.process_time()
                found = job(left.popleft())
                first = len(left) == len(parts) - 1  # it also imports the ops
                took = time.process_time() - began - (IMPORTS if first else 0)
                yield found
        jobs = self._jobs(len(left))
        if self.backend == "loky" and jobs <= 1:
            yield from map(job, left)
            return
        joblib = importlib.import_module("joblib")
        with _own_modules_only(), self._cluster(jobs), joblib.parallel_config(self._name):
            workers = joblib.Parallel(jobs, return_as="generator", pre_dispatch="2*n_jobs")
            with _deaf_to_ctrl_c():
                found = workers(joblib.delayed(job)(part) for part in left)
            yield from found

    @property
    def _name(self) -> str:
        return self.backend.partition("=")[0]

    def _jobs(self, parts: int) -> int:
        if parts <= 1:
            return 1
        return min(self.jobs or int(importlib.import_module("joblib").cpu_count()), parts)

    @contextlib.contextmanager
    def _cluster(self, jobs: int) -> Iterator[Any]:
        """For Dask: a connection to the cluster, or one on this machine until it is done."""
        if self._name != DASK:
            yield None
            return
        if importlib.util.find_spec("distributed") is None:
            raise QdbgError(
                "--backend dask needs the package distributed, which is not installed",
                remedy="pip install 'qdbg[dask]'",
            )
        distributed = importlib.import_module("distributed")
        address = self.backend.partition("=")[2]
        own = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
        try:
            client = (
                distributed.Client(address, timeout=10) if address else distributed.Client(**own)
            )
        except (OSError, TimeoutError, ValueError) as error:
            words = str(error).partition("\n")[0][:200]
            raise QdbgError(f"no Dask cluster answers at {address}: {words}") from error
        with client:
            yield client


def parts_of(portions: Sequence[Runs]) -> list[Runs]:
    """What the workers are given."""
    return [
        runs.part(start, start + PART) for runs in portions for start in range(0, len(runs), PART)
    ]


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started do not hear ctrl+c, which a terminal sends to all of them: this
    one does, a moment later, and ends them. They inherit what is blocked here."""
    resource_tracker.ensure_running()  # beginning later it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
