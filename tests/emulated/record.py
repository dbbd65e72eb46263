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
import warnings
from collections import Counter, defaultdict
from pathlib import Path

from qdbg.capture.level import processor_name
from qdbg.selftest import fuzz
from qdbg.selftest.cell import Task
from qdbg.selftest.child import keep_to

FIRST = 12
"""So many seeds from 0 on are recorded of every generator, besides those that the plan names."""
TRIED = 1
"""Large cases by which it is seen how many numbers of an op a generator gives."""
NUMBERS = 1_050_000
"""Of each op, so that a million is left where some calls are not simulated."""
MOST = 800
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
        self.gave = defaultdict(Counter)
        self.cases = Counter()
        self.refused = 0
        self._stream = stream
        self._used = Counter()
        facts = {"torch": environment.torch, "processor": environment.processor, "kernel": kernel}
        self.write({"engine": task.engine, "level": task.level, "seed": task.seed, **facts})

    def write(self, item):
        pickle.dump(item, self._stream, protocol=5)

    def warm(self):
        """Load what every forked process would load again."""
        for name in self.work.cases:
            self.work.made(name, 0, WARM)

    def begin(self, name, seeds):
        """Cases of any size, and some large ones by which it is seen what they give."""
        self.draw(name, False, seeds)
        self.draw(name, True, self._next(name, TRIED))

    def complete(self, op, numbers=NUMBERS):
        """Record cases of the generator that gives most until the op has so many numbers."""
        cases = 0
        while self.total[op] < numbers and cases < MOST:
            each, name, large = max(
                (gave[op] / self.cases[key], *key) for key, gave in self.gave.items()
            )
            count = min(BATCH, int((numbers - self.total[op]) / max(each, 1)) + 1)
            self.draw(name, large, self._next(name, count))
            cases += count

    def _next(self, name, count):
        first = self.seed + self._used[name]
        self._used[name] += count
        return range(first, first + count)

    def draw(self, name, large, seeds):
        """Record the cases of these seeds. PyTorch runs in a process of its own: an emulated CPU
        may lack an instruction. The case at which it dies is left out."""
        left, before = list(seeds), self.total.copy()
        self.cases[name, large] += len(left)
        while left:
            reading, writing = os.pipe()
            if (child := os.fork()) == 0:
                os.close(reading)
                self._answer(name, large, left, writing)
            os.close(writing)
            with os.fdopen(reading, "rb") as answers:
                done = self._take(answers)
            died = os.waitpid(child, 0)[1] != 0
            if died:
                sys.stdout.write(f"{name}: PyTorch died at seed {left[done]}\n")
            left = left[done + 1 :] if died else []
        self.gave[name, large] += self.total - before

    def _answer(self, name, large, seeds, writing):
        """In the child: each case as a line of facts and a pickle."""
        status = 1
        try:
            with os.fdopen(writing, "wb") as answers:
                for seed in seeds:
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
