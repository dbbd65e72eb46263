"""Compare recorded cases with the simulation, as `qdbg selftest --json` would have:

python -m tests.emulated.compare FILE … > run.json

Seeded faults are proved by the recorded cases of small seeds. `python -m tests.coverage run.json`
puts the counts into the table of coverage.
"""

import pickle
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, islice
from pathlib import Path

from qdbg.core.container import encode, pack
from qdbg.core.program import Environment
from qdbg.headless.coverage import coverage_data
from qdbg.headless.output import json_text, write, write_error
from qdbg.headless.selftest import save_differences
from qdbg.selftest.cell import Findings, Task
from qdbg.selftest.fuzz import FAULT_CASES, Fuzz

WORKERS = 2
NOTE = (
    "PyTorch ran on a CPU that is emulated by Bochs, instruction by instruction: its calls were"
    " recorded there by `tests/emulated/machine.sh`, and simulated and compared elsewhere by"
    " `python -m tests.emulated.compare`."
)


def items(path):
    """What was run, and then what else the stream has."""
    with Path(path).open("rb") as stream:
        while True:
            try:
                yield pickle.load(stream)  # noqa: S301 - written by tests.emulated.record
            except EOFError:
                return


class Recorded(Fuzz):
    """The self-test's work on cases that were recorded before."""

    def __init__(self, task, environment, say):
        super().__init__(task, environment, say)
        self.kept = {}
        self.seen = set()

    def made(self, name, seed, size=1.0, large=False):
        return self.kept.get((name, seed))

    def take(self, name, seed, made):
        """Count a case, but not again from another file; keep it if it may prove a fault."""
        if (name, seed) in self.seen:
            return
        self.seen.add((name, seed))
        if seed < FAULT_CASES:
            self.kept[name, seed] = made
        self.count(name, seed, made)


def compare(paths):
    """The findings of the files of one cell."""
    start = time.monotonic()
    head = next(items(paths[0]))
    task = Task(head["engine"], head["level"], (), head["seed"], 0.0)
    environment = Environment(
        task.engine, task.level, head["torch"], head["processor"], head["kernel"], True
    )
    found = Findings(task.engine, task.level)
    found.hear({"torch": head["torch"], "processor": f"{head['processor']}, emulated"})
    work = Recorded(task, environment, found.hear)
    work.deliver = lambda made: found.hear(encode(*pack(made)))
    for path in paths:
        found.ended = f"{path} has no end"
        for item in islice(items(path), 1, None):
            if isinstance(item, tuple):
                work.take(*item)
            else:
                work.refused += item["refused"]
                found.ended = ""
        if found.ended:
            return found
    work.prove()
    work.report()
    found.done, found.seconds = True, time.monotonic() - start
    return found


def cells(paths):
    """The files of each cell."""
    made = {}
    for path in paths:
        head = next(items(path))
        made.setdefault((head["engine"], head["level"]), []).append(path)
    return list(made.values())


def main():
    with ProcessPoolExecutor(WORKERS) as pool:
        found = list(pool.map(compare, cells(sys.argv[1:])))
    seed = next(items(sys.argv[1]))["seed"]
    data = coverage_data(found, seed, "recorded")
    emulated = [{**cell, "emulated": True} for cell in data["cells"]]
    write(json_text({**data, "cells": emulated, "note": NOTE}))
    for path in chain.from_iterable(save_differences(each, seed) for each in found):
        write_error(f"a case that differs: qdbg {path}")


if __name__ == "__main__":
    main()
