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
from qdbg.selftest.check import arithmetic_of, compared, differs, record
from qdbg.selftest.draw import Draw
from qdbg.selftest.faults import Fault, faults
from qdbg.selftest.inputs import inputs_of, runs_through_all
from qdbg.selftest.progress import Progress

Say = Callable[[Mapping[str, object]], None]

FAULT_CASES = 2000
"""With so many cases must a seeded fault be caught, or it counts as missed. Cases are counted, not
seconds: a slow machine misses no more than a fast one."""
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
        self.arithmetic = arithmetic_of(environment)
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
            and fault.shows(self.arithmetic)
            and (wanted is None or fault.name in wanted)
        ]
        for case in dict.fromkeys(fault.case for fault in chosen):
            self._prove(case, [fault for fault in chosen if fault.case == case])

    def _prove(self, case: str, missed: list[Fault]) -> None:
        """Against the same cases in every run, so that no luck is needed to catch a fault."""
        for seed in range(FAULT_CASES):
            if not missed:
                return
            made = self.made(case, seed, 1.0)
            caught = [] if made is None else [fault for fault in missed if _shows(fault, made)]
            missed = [fault for fault in missed if fault not in caught]
            if caught:
                self._say({"faults": {fault.name: True for fault in caught}})
        self._say({"faults": {fault.name: False for fault in missed}})

    def run(self) -> None:
        """Draw until each op has a million integers or the budget is used up; of which proving has
        taken its part, at most half."""
        now = time.monotonic()
        end = max(self._start + self.task.budget, now + self.task.budget / 2)
        progress = Progress(self.cases, end - now, self.task.least)
        while progress.owed or time.monotonic() < end:
            if (name := progress.choose()) is None:
                break
            before = time.monotonic()
            seed = self.task.seed + progress.work[name].cases + 1
            compared_now = self._draw(name, seed, progress.large(name))
            progress.add(name, time.monotonic() - before, compared_now)
            if time.monotonic() - self._said > EVERY:
                self.report()
        self.report()

    def _draw(self, name: str, seed: int, large: int) -> Counter[str]:
        made = self.made(name, seed, large=large)
        return Counter() if made is None else self.count(name, seed, made)

    def made(self, name: str, seed: int, size: float = 1.0, large: int = 0) -> Recording | None:
        """The recorded case; None where PyTorch does not have it."""
        self._say({"running": f"{name}, seed {seed}"})
        try:
            draw = Draw(seed, self.task.engine, self.task.level, size, large)
            case = generators()[name](draw)
            if case is None:
                return None
            return record(case, replace(self.environment, threads=draw.threads))
        except (RuntimeError, NotImplementedError):
            self.refused += 1
            return None

    def count(self, name: str, seed: int, made: Recording) -> Counter[str]:
        """Add up what became of the calls; returns the integers that were compared, by op."""
        compared_now: Counter[str] = Counter()
        for node, (op, comparison) in zip(made.program.nodes, compared(made), strict=True):
            count = self.counts.setdefault(op, Count(inputs=inputs_of(op)))
            count.calls += 1
            if comparison.status == "not simulated":
                count.refuse(comparison.reason or "")
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
            other = self.made(name, try_, smaller)
            if other is not None and any(o == op and c.differences for o, c in compared(other)):
                found, at, size = other, try_, smaller
                break
        self._say({"difference": {"case": name, "seed": at, "size": size, "op": op}})
        self.deliver(found)

    def deliver(self, made: Recording) -> None:
        """Hand over a recording; set by the child."""

    def report(self) -> None:
        """Say how far the counts are."""
        self._said = time.monotonic()
        rows = {op: asdict(count) for op, count in self.counts.items()}
        self._say({"counts": rows, "refused": self.refused})


def _shows(fault: Fault, made: Recording) -> bool:
    with fault.seeded():
        return differs(made)


def environment(task: Task, kernel: str, processor: str) -> Environment:
    """Of recordings made here."""
    version = str(torch.__version__)
    return Environment(task.engine, task.level, version, processor, kernel, unperturbed=True)
