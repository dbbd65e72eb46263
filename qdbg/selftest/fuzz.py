"""The work of one child: prove that faults are caught, draw cases, make differences smaller."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import torch

from qdbg.core.program import Environment, Recording
from qdbg.errors import CommandError
from qdbg.selftest.cases import generators
from qdbg.selftest.cell import Count, Task
from qdbg.selftest.check import compared, record
from qdbg.selftest.draw import Draw
from qdbg.selftest.faults import Fault, faults

Say = Callable[[Mapping[str, object]], None]

FAULT_SECONDS = 20.0
"""How long one seeded fault may go uncaught before it counts as missed."""
LEAST_FAULT_SECONDS = 10.0
SMALLER = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""The sizes at which a difference is looked for again, smallest first."""
SMALLER_TRIES = 150
MILLION = 10**6
DEAR = 3.0
"""A slow generator may take this many times an even share of the budget."""
EVERY = 0.5
"""Seconds between two reports."""


@dataclass(slots=True)
class Work:
    """How much was done for one generator."""

    cases: int = 0
    compared: int = 0
    seconds: float = 0.0

    def done(self, share: float) -> float:
        """How near it is to a million integers, or to the end of the time that it may take."""
        return max(self.compared / MILLION, self.seconds / share)


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
        end = time.monotonic() + limit
        seed = self.task.seed
        with fault.seeded():
            while time.monotonic() < end:
                seed += 1
                made = self._made(fault.case, seed, 1.0)
                if made is not None and any(c.differences for _, c in compared(made)):
                    return True
        return False

    def run(self) -> None:
        """Draw from the generator that is furthest behind, until the budget is used up."""
        start = time.monotonic()
        work = {name: Work() for name in self.cases}
        share = DEAR * self.task.budget / max(1, len(work))
        while work and time.monotonic() - start < self.task.budget:
            name = min(work, key=lambda each: work[each].done(share))
            self._draw(name, work[name])
            if time.monotonic() - self._said > EVERY:
                self._report()
        self._report()

    def _draw(self, name: str, work: Work) -> None:
        before = time.monotonic()
        work.cases += 1
        seed = self.task.seed + work.cases
        made = self._made(name, seed, 1.0)
        if made is not None:
            work.compared += self._count(name, seed, made)
        work.seconds += time.monotonic() - before

    def _made(self, name: str, seed: int, size: float) -> Recording | None:
        """The recorded case; None where PyTorch does not have it."""
        self._say({"running": f"{name}, seed {seed}"})
        try:
            case = generators()[name](Draw(seed, self.task.engine, self.task.level, size))
            return None if case is None else record(case, self.environment)
        except (RuntimeError, NotImplementedError):
            self.refused += 1
            return None

    def _count(self, name: str, seed: int, made: Recording) -> int:
        compared_now = 0
        for op, comparison in compared(made):
            count = self.counts.setdefault(op, Count())
            count.calls += 1
            if comparison.status == "not simulated":
                count.refused += 1
                count.reason = comparison.reason or ""
                continue
            compared_now += comparison.elements
            count.compared += comparison.elements
            count.differences += comparison.differences
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
