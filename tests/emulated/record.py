"""Record cases of the self-test where simulating them would take too long, as on an emulated CPU:

python -m tests.emulated.record ENGINE LEVEL SEED PLAN.json FILE

Each generator draws a few cases of the seeds that prove faults, then large cases from SEED on,
until every op has its million numbers. The file is a stream of pickles: what was run, then case by
case the generator's name, its seed and the recording, then how many cases PyTorch refused.
"""

import json
import pickle
import sys
import time
import warnings
from collections import Counter, defaultdict
from pathlib import Path

from qdbg.capture.level import processor_name
from qdbg.selftest import fuzz
from qdbg.selftest.cell import Task
from qdbg.selftest.child import keep_to

FIRST = 12
"""So many seeds from 0 on are recorded of every generator, besides those that the plan names."""
TRIED = 3
"""Large cases by which it is seen how quickly a generator gives numbers of an op."""
NUMBERS = 1_100_000
"""Of each op, so that a million is left where some calls are not simulated."""
MOST = 4000
"""Large cases for one op."""


class Recorder:
    """Writes what the generators draw for one engine on one level."""

    def __init__(self, task, kernel, stream):
        environment = fuzz.environment(task, kernel, processor_name())
        self.work = fuzz.Fuzz(task, environment, lambda _: None)
        self.seed = task.seed
        self.total = Counter()
        self.rates = defaultdict(dict)
        self._stream = stream
        self._next = Counter()
        self.write(
            {
                "engine": task.engine,
                "level": task.level,
                "seed": task.seed,
                "torch": environment.torch,
                "processor": environment.processor,
                "kernel": kernel,
            }
        )

    def write(self, item):
        pickle.dump(item, self._stream, protocol=5)

    def small(self, name, seeds):
        """Cases of any size."""
        for seed in seeds:
            self._record(name, seed)

    def large(self, name):
        """The next large case; the numbers that it gave by op."""
        self._next[name] += 1
        return self._record(name, self.seed + self._next[name], large=True)

    def try_out(self, name):
        """See how quickly large cases give numbers of each op."""
        start, gave = time.process_time(), Counter()
        for _ in range(TRIED):
            gave += self.large(name)
        for op, count in gave.items():
            self.rates[op][name] = count / max(time.process_time() - start, 1e-9)

    def complete(self, op, numbers=NUMBERS):
        """Record large cases until the op has so many numbers, or no generator gives more."""
        if not self.rates[op]:
            return
        name = max(self.rates[op], key=self.rates[op].get)
        for _ in range(MOST):
            if self.total[op] >= numbers:
                return
            self.large(name)

    def _record(self, name, seed, large=False):
        made = self.work.made(name, seed, large=large)
        gave = Counter()
        if made is not None:
            self.write((name, seed, made))
            for node, value in zip(made.program.nodes, made.values, strict=True):
                gave[node.op] += value.size
        self.total += gave
        return gave


def record(task, plan, stream, numbers=NUMBERS):
    """Record a cell as the plan says: ops that are `skipped`, `seeds` by generator."""
    recorder = Recorder(task, keep_to(task), stream)
    for name in recorder.work.cases:
        recorder.small(name, sorted({*range(FIRST), *plan["seeds"].get(name, ())}))
        recorder.try_out(name)
    for op in sorted(set(recorder.total) - set(plan["skipped"])):
        recorder.complete(op, numbers)
        sys.stdout.write(f"{task.cell} {op} {recorder.total[op]}\n")
        sys.stdout.flush()
    recorder.write({"refused": recorder.work.refused})


def main():
    warnings.simplefilter("ignore")
    engine, level, seed, plan, path = sys.argv[1:]
    with Path(path).open("wb") as stream:
        task = Task(engine, level, (), int(seed), 0.0)
        record(task, json.loads(Path(plan).read_text(encoding="utf-8")), stream)


if __name__ == "__main__":
    main()
