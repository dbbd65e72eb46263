"""Record cases of the self-test where simulating them would take too long, as on an emulated CPU:

python -m tests.emulated.record ENGINE LEVEL SEED PLAN.json FILE

Each generator draws a few cases of the seeds that prove faults, then large cases from SEED on,
until every op has its million numbers. The file is a stream of pickles: what was run, then case by
case the generator's name, its seed and the recording, then how many cases PyTorch refused.
"""

import json
import os
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
MOST = 1500
"""Cases for one op, at most."""
BATCH = 50
"""Cases that one process records for an op, at most."""
WARM = 0.3
"""The size of a draw that is never large: PyTorch starts no threads then, and can be forked."""


class Recorder:
    """Writes what the generators draw for one engine on one level."""

    def __init__(self, task, kernel, stream):
        environment = fuzz.environment(task, kernel, processor_name())
        self.work = fuzz.Fuzz(task, environment, lambda _: None)
        self.seed = task.seed
        self.total = Counter()
        self.rates = defaultdict(dict)
        self.refused = 0
        self._stream = stream
        self._next = Counter()
        facts = {"torch": environment.torch, "processor": environment.processor, "kernel": kernel}
        self.write({"engine": task.engine, "level": task.level, "seed": task.seed, **facts})

    def write(self, item):
        pickle.dump(item, self._stream, protocol=5)

    def warm(self):
        """Load what every forked process would load again."""
        for name in self.work.cases:
            self.work.made(name, 0, WARM)

    def begin(self, name, seeds):
        """Cases of any size, and some large ones by which the generator's speed is seen."""
        self.draw(name, [(seed, False) for seed in seeds])
        start, before = time.monotonic(), self.total.copy()
        self.draw(name, self._large(name, TRIED))
        seconds = max(time.monotonic() - start, 1e-9)
        for op, count in (self.total - before).items():
            self.rates[op][name] = count / seconds

    def complete(self, op, numbers=NUMBERS):
        """Record large cases until the op has so many numbers."""
        if not self.rates[op]:
            return
        name = max(self.rates[op], key=self.rates[op].get)
        cases, start = 0, self.total[op]
        while self.total[op] < numbers and cases < MOST:
            each = (self.total[op] - start) / cases if cases else numbers / TRIED
            wanted = int((numbers - self.total[op]) / max(each, 1)) + 1
            count = min(BATCH, wanted)
            self.draw(name, self._large(name, count))
            cases += count

    def _large(self, name, count):
        first = self.seed + self._next[name]
        self._next[name] += count
        return [(seed, True) for seed in range(first, first + count)]

    def draw(self, name, draws):
        """Record the draws, each a seed and whether it is large. PyTorch runs in a process of its
        own: an emulated CPU may lack an instruction. The case at which it dies is left out."""
        left = list(draws)
        while left:
            reading, writing = os.pipe()
            if (child := os.fork()) == 0:
                os.close(reading)
                self._answer(name, left, writing)
            os.close(writing)
            with os.fdopen(reading, "rb") as answers:
                done = self._take(answers)
            if os.waitpid(child, 0)[1] == 0:
                return
            sys.stdout.write(f"{name}: PyTorch died at seed {left[done][0]}\n")
            left = left[done + 1 :]

    def _answer(self, name, draws, writing):
        """In the child: each case as a line of facts and a pickle."""
        status = 1
        try:
            with os.fdopen(writing, "wb") as answers:
                for seed, large in draws:
                    made = self.work.made(name, seed, large=large)
                    data = b"" if made is None else pickle.dumps((name, seed, made), protocol=5)
                    facts = {
                        "bytes": len(data),
                        "refused": self.work.refused,
                        "gave": numbers_in(made),
                    }
                    answers.write(json.dumps(facts).encode() + b"\n" + data)
                    answers.flush()
            status = 0
        finally:
            os._exit(status)

    def _take(self, answers):
        """In the parent: write each case to the stream; returns how many came."""
        done = refused = 0
        while line := answers.readline():
            facts = json.loads(line)
            data = answers.read(facts["bytes"])
            if len(data) < facts["bytes"]:
                break
            self._stream.write(data)
            self.total.update(facts["gave"])
            refused = facts["refused"]
            done += 1
        self.refused += refused
        return done


def numbers_in(made):
    """How many numbers a recording has of each op; None for none."""
    found = Counter()
    if made is not None:
        for node, value in zip(made.program.nodes, made.values, strict=True):
            found[node.op] += value.size
    return found


def record(task, plan, stream, numbers=NUMBERS):
    """Record a cell as the plan says: ops that are `skipped`, `seeds` by generator."""
    recorder = Recorder(task, keep_to(task), stream)
    recorder.warm()
    for name in recorder.work.cases:
        sys.stdout.write(f"{task.cell} {name}\n")
        sys.stdout.flush()
        recorder.begin(name, sorted({*range(FIRST), *plan["seeds"].get(name, ())}))
    for op in sorted(set(recorder.total) - set(plan["skipped"])):
        recorder.complete(op, numbers)
        sys.stdout.write(f"{task.cell} {op} {recorder.total[op]}\n")
        sys.stdout.flush()
    recorder.write({"refused": recorder.refused})


def main():
    warnings.simplefilter("ignore")
    engine, level, seed, plan, path = sys.argv[1:]
    with Path(path).open("wb") as stream:
        task = Task(engine, level, (), int(seed), 0.0)
        record(task, json.loads(Path(plan).read_text(encoding="utf-8")), stream)


if __name__ == "__main__":
    main()
