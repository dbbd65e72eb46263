"""The work of one child: prove that faults are caught, draw cases, make differences smaller."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

import torch

from qdbg.core.program import Environment, Recording
from qdbg.errors import CommandError
from qdbg.selftest.cases import generators
from qdbg.selftest.cell import Count, Task
from qdbg.selftest.check import compared, record
from qdbg.selftest.draw import Draw
from qdbg.selftest.faults import Fault, faults
from qdbg.selftest.inputs import inputs_of, runs_through_all
from qdbg.selftest.progress import Progress

Say = Callable[[Mapping[str, object]], None]

FAULT_SECONDS = 20.0
"""How long one seeded fault may go uncaught before it counts as missed; of the processor's time,
which does not pass while other programs run."""
LEAST_FAULT_SECONDS = 10.0
SMALLER = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""The sizes at which a difference is looked for again, smallest first."""
SMALLER_TRIES = 150
EVERY = 0.5
"""Seconds between two reports."""


class Fuzz:
    """Cases for one engine on one level, in a process that is kept to it."""

    def __init__(self, task: Task, environment: Environment, say: Say) -> None:
        self.task = task
        self.environment = environment
        self.counts: dict[str, Count] = {}
        self.refused = 0
        self._say = say
        self._said = 0.0
        self._shrunk: set[str] = set()
        self._start = time.monotonic()
        known = generators()
        for name in task.cases:
            if name not in known:
                expected = f"one of {', '.join(sorted(known))}"
                raise CommandError(f"no case draws the op {name!r}", expected=expected)
        self.cases = list(task.cases or known)

    def prove(self) -> None:
        """Seed each fault that shows here, and report whether it was caught."""
        wanted = self.task.faults
        chosen = [
            fault
            for fault in faults()
            if fault.case in self.cases
            and fault.shows(self.task.engine, self.task.level)
            and (wanted is None or fault.name in wanted)
        ]
        least, share = LEAST_FAULT_SECONDS, self.task.budget / max(1, len(chosen))
        limit = min(FAULT_SECONDS, max(least, share))
        for fault in chosen:
            self._say({"faults": {fault.name: self._caught(fault, limit)}})

    def _caught(self, fault: Fault, limit: float) -> bool:
        end = time.thread_time() + limit
        seed = self.task.seed
        with fault.seeded():
            while time.thread_time() < end:
                seed += 1
                made = self._made(fault.case, seed, 1.0)
                if made is not None and any(c.differences for _, c in compared(made)):
                    return True
        return False

    def run(self) -> None:
        """Draw until each op has a million integers or the budget is used up; of which proving has
        taken its part, at most half."""
        now = time.monotonic()
        end = max(self._start + self.task.budget, now + self.task.budget / 2)
        progress = Progress(self.cases, end - now)
        while time.monotonic() < end and (name := progress.choose()) is not None:
            before = time.monotonic()
            compared_now = self._draw(name, self.task.seed + progress.work[name].cases + 1)
            progress.add(name, time.monotonic() - before, compared_now)
            if time.monotonic() - self._said > EVERY:
                self._report()
        self._report()

    def _draw(self, name: str, seed: int) -> Counter[str]:
        made = self._made(name, seed, 1.0)
        return Counter() if made is None else self._count(name, seed, made)

    def _made(self, name: str, seed: int, size: float) -> Recording | None:
        """The recorded case; None where PyTorch does not have it."""
        self._say({"running": f"{name}, seed {seed}"})
        try:
            draw = Draw(seed, self.task.engine, self.task.level, size)
            case = generators()[name](draw)
            if case is None:
                return None
            return record(case, replace(self.environment, threads=draw.threads))
        except (RuntimeError, NotImplementedError):
            self.refused += 1
            return None

    def _count(self, name: str, seed: int, made: Recording) -> Counter[str]:
        """Add up what became of the calls; returns the integers that were compared, by op."""
        compared_now: Counter[str] = Counter()
        for node, (op, comparison) in zip(made.program.nodes, compared(made), strict=True):
            count = self.counts.setdefault(op, Count(inputs=inputs_of(op)))
            count.calls += 1
            if comparison.status == "not simulated":
                count.refused += 1
                count.reason = comparison.reason or ""
                continue
            compared_now[op] += comparison.elements
            count.compared += comparison.elements
            count.differences += comparison.differences
            count.exhaustive += runs_through_all(made, node)
            if comparison.differences and op not in self._shrunk:
                self._shrunk.add(op)
                self._shrink(name, seed, op, made)
        return compared_now

    def _shrink(self, name: str, seed: int, op: str, made: Recording) -> None:
        """Report the smallest case of the same op that differs."""
        found, at, size = made, seed, 1.0
        for smaller, try_ in ((s, t) for s in SMALLER for t in range(SMALLER_TRIES)):
            other = self._made(name, try_, smaller)
            if other is not None and any(o == op and c.differences for o, c in compared(other)):
                found, at, size = other, try_, smaller
                break
        self._say({"difference": {"case": name, "seed": at, "size": size, "op": op}})
        self.deliver(found)

    def deliver(self, made: Recording) -> None:
        """Hand over a recording; set by the child."""

    def _report(self) -> None:
        self._said = time.monotonic()
        rows = {op: asdict(count) for op, count in self.counts.items()}
        self._say({"counts": rows, "refused": self.refused})


def environment(task: Task, kernel: str, processor: str) -> Environment:
    """Of recordings made here."""
    version = str(torch.__version__)
    return Environment(task.engine, task.level, version, processor, kernel, unperturbed=True)
