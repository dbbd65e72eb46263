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
import traceback
import warnings
from collections import Counter, defaultdict
from pathlib import Path

from qdbg.capture.level import processor_name
from qdbg.selftest import fuzz
from qdbg.selftest.cell import Task
from qdbg.selftest.child import keep_to

FIRST = 12
"""So many seeds from 0 on are recorded of every generator, besides those that the plan names."""
LONG = 10
"""Large cases are so many times as long as the self-test's: fewer of them give as many numbers."""
NUMBERS = 1_050_000
"""Of each op, and twice as many of one that is not simulated in every call."""
SOME = 4
"""One case in so many is of any size: some ops come in small cases alone."""
MOST = 600
"""Cases for one op, at most."""
WARM = 0.3
"""The size of a draw that is never large: PyTorch starts no threads then, and can be forked."""


class Recorder:
    """Writes what the generators draw for one engine on one level.

    PyTorch runs in a process of its own: an emulated CPU may lack an instruction. Where it dies,
    another one goes on behind that case.
    """

    def __init__(self, task, kernel, stream):
        environment = fuzz.environment(task, kernel, processor_name())
        self.work = fuzz.Fuzz(task, environment, lambda _: None)
        self.seed = task.seed
        self.total = Counter()
        self.gave = defaultdict(Counter)
        self.cases = Counter()
        self.done = set()
        self.begun = None
        self.refused = 0
        self._stream = stream
        facts = {"torch": environment.torch, "processor": environment.processor, "kernel": kernel}
        self.write({"engine": task.engine, "level": task.level, "seed": task.seed, **facts})

    def write(self, item):
        pickle.dump(item, self._stream, protocol=5)

    def record(self, plan, numbers):
        """Everything, by as many processes as it takes."""
        for name in self.work.cases:  # what every process would load again
            self.work.made(name, 0, WARM)
        status = 1
        while status:
            reading, writing = os.pipe()
            if (child := os.fork()) == 0:
                os.close(reading)
                self._answer(writing, plan, numbers)
            os.close(writing)
            with os.fdopen(reading, "rb") as answers:
                self._take(answers)
            if status := os.waitpid(child, 0)[1]:
                if not os.WIFSIGNALED(status):
                    sys.exit("the recording failed: its process says why")
                say(f"PyTorch died at {self.begun}")
                self._note(*self.begun, {})

    def _answer(self, writing, plan, numbers):
        """In the child: each case as a line that says which, one of facts, and a pickle."""
        status = 1
        try:
            with os.fdopen(writing, "wb") as answers:
                for name, large, seed in self._draws(plan, numbers):
                    answers.write(json.dumps([name, large, seed]).encode() + b"\n")
                    answers.flush()
                    made = self.work.made(name, seed, large=large)
                    data = b"" if made is None else pickle.dumps((name, seed, made), protocol=5)
                    facts = {"bytes": len(data), "gave": numbers_in(made)}
                    answers.write(json.dumps(facts).encode() + b"\n" + data)
                    self._note(name, large, seed, facts["gave"])
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _take(self, answers):
        """In the parent: write each case to the stream."""
        while line := answers.readline():
            self.begun = json.loads(line)
            if not (line := answers.readline()):
                return
            facts = json.loads(line)
            self._stream.write(answers.read(facts["bytes"]))
            self.refused += not facts["bytes"]
            self._note(*self.begun, facts["gave"])

    def _note(self, name, large, seed, gave):
        self.done.add((name, large, seed))
        self.cases[name] += 1
        self.gave[name].update(gave)
        self.total.update(gave)

    def _draws(self, plan, numbers):
        """What is drawn next: the proving seeds and a large case of each generator, then for each
        op cases of the generator that gives most of it."""
        for name in self.work.cases:
            say(f"{self.work.task.cell} {name}")
            first = sorted({*range(FIRST), *plan["seeds"].get(name, ())})
            for draw in [*((name, 0, seed) for seed in first), (name, LONG, self.seed)]:
                if draw not in self.done:
                    yield draw
        seen = set(plan["skipped"])
        while more := sorted(set(self.total) - seen):  # a large case can bring an op of its own
            for op in more:
                yield from self._of(op, numbers * (2 if op in plan["refused"] else 1))
            seen |= set(more)

    def _of(self, op, numbers):
        for _ in range(MOST):
            if self.total[op] >= numbers:
                break
            name = max(self.gave, key=lambda name: self.gave[name][op] / self.cases[name])
            large = LONG if self.cases[name] % SOME else 0
            yield name, large, self.seed + self.cases[name]
        say(f"{self.work.task.cell} {op} {self.total[op]}")


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def numbers_in(made):
    """How many numbers a recording has of each op; None for none."""
    found = Counter()
    if made is not None:
        for node, value in zip(made.program.nodes, made.values, strict=True):
            found[node.op] += value.size
    return found


def record(task, plan, stream, numbers=NUMBERS):
    """Record a cell as the plan says: ops that are `skipped`, those of which calls are `refused`,
    `seeds` by generator."""
    recorder = Recorder(task, keep_to(task), stream)
    recorder.record(plan, numbers)
    recorder.write({"refused": recorder.refused})


def main():
    warnings.simplefilter("ignore")
    engine, level, seed, plan, path = sys.argv[1:]
    wanted = json.loads(Path(plan).read_text(encoding="utf-8"))
    with Path(path).open("wb") as stream:
        task = Task(engine, level, tuple(wanted["cases"]), int(seed), 0.0)
        record(task, wanted, stream)


if __name__ == "__main__":
    main()
