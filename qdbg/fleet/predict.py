"""What a model would give on other machines: integers, outputs and classes over a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from qdbg.core.quantity import Array
from qdbg.core.runs import Runs
from qdbg.fleet.bounds import Bound, bounds
from qdbg.fleet.feed import Fleet, Machine, Result
from qdbg.fleet.pairs import Cut, Key, cuts
from qdbg.fleet.ranges import ranges
from qdbg.fleet.stack import Job, Stacked
from qdbg.fleet.tally import Tally, tally
from qdbg.fleet.workers import Workers, parts_of
from qdbg.ops import registry

COUNTED = (
    *("values", "differences", "samples", "changed", "unknown"),
    *("labelled", "right", "right_captured"),
)
"""What is added up of the outputs of several portions."""
AXES = 2
"""Of an output whose last axis has the classes."""


@dataclass(frozen=True, slots=True)
class Flip:
    """A sample of another predicted class."""

    sample: int
    captured: int
    predicted: int


@dataclass(slots=True)
class Outputs:
    """What the model returns, over the data set."""

    values: int = 0
    """Output values that are predicted."""
    differences: int = 0
    max_delta: float = 0
    samples: int = 0
    """Samples whose output is predicted."""
    changed: int = 0
    """Those of another output."""
    unknown: int = 0
    """Samples whose output is not predicted."""
    classified: bool = False
    """Whether the output has classes to choose from."""
    flips: list[Flip] = field(default_factory=list)
    labelled: int = 0
    """Predicted samples with a known class."""
    right: int = 0
    """Those that this machine gives their class."""
    right_captured: int = 0
    """Those that the captured machine gives it."""

    def add(self, other: Outputs) -> None:
        """Add those of later samples."""
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.max_delta = max(self.max_delta, other.max_delta)
        self.classified |= other.classified
        self.flips += other.flips


@dataclass(slots=True, eq=False)
class Forecast:
    """One machine."""

    machine: str
    refused: str = ""
    """Why PyTorch does not run the model there, or why nothing is known."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    """By call, in the order of the run."""
    pairs: dict[str, dict[Key, Cut]] = field(default_factory=dict)
    """By call: those that leave int16 in this data set."""
    bounds: dict[str, Bound] = field(default_factory=dict)
    """By call: whether any input can make a pair leave int16."""
    outputs: Outputs = field(default_factory=Outputs)

    def add(self, other: Forecast) -> None:
        """Add that of later samples."""
        for name, each in other.tallies.items():
            self.tallies.setdefault(name, Tally()).add(each)
        for name, found in other.pairs.items():
            own = self.pairs.setdefault(name, {})
            for key, cut in found.items():
                own.setdefault(key, Cut(cut.k)).add(cut)
        self.bounds = other.bounds | self.bounds
        self.outputs.add(other.outputs)

    @property
    def differences(self) -> int:
        """Integers and float32 numbers that are not the captured ones."""
        return sum(each.differences for each in self.tallies.values())

    @property
    def unknown(self) -> int:
        """Values that are not simulated."""
        return sum(each.unknown for each in self.tallies.values())

    @property
    def reasons(self) -> dict[str, Counter[str]]:
        """By call why it is not simulated, and in how many runs."""
        return {name: each.reasons for name, each in self.tallies.items() if each.reasons}

    @property
    def status(self) -> int:
        """As an exit status: 1 differences, 3 something is not simulated, else 0."""
        if self.differences:
            return 1
        return 3 if self.unknown or self.refused else 0


def predict_part(
    runs: Runs, machines: Sequence[Machine], labels: Array | None, keep: bool
) -> tuple[list[Forecast], list[list[Result]]]:
    """What each machine makes of some runs, and the results if they are to be kept. Runs in a
    worker process."""
    made = Predictor(machines, labels)
    results = made.take(runs)
    return made.forecasts, results if keep else []


class Predictor:
    """Takes portions of runs and adds up what each machine makes of them."""

    def __init__(self, machines: Sequence[Machine], labels: Array | None = None) -> None:
        self.machines = machines
        self.forecasts = [Forecast(machine.name) for machine in machines]
        self._labels = labels

    def take_all(
        self,
        portions: Sequence[Runs],
        workers: Workers,
        tell: Callable[[int, int], None],
        keep: bool,
    ) -> list[tuple[Runs, list[list[Result]]]]:
        """Add all portions, by the workers; the results of each part, where they are to be kept.
        `tell` hears how many parts are done, of how many."""
        parts = parts_of(portions)
        job = partial(predict_part, machines=self.machines, labels=self._labels, keep=keep)
        kept = []
        for number, (part, made) in enumerate(zip(parts, workers.each(job, parts), strict=True), 1):
            for own, more in zip(self.forecasts, made[0], strict=True):
                own.add(more)
            kept.append((part, made[1]))
            tell(number, len(parts))
        return kept

    def take(self, runs: Runs) -> list[list[Result]]:
        """Add a portion; the results by call and machine."""
        with np.errstate(all="ignore"):  # what float32 cannot hold is PyTorch's affair
            return self._take(runs)

    def _take(self, runs: Runs) -> list[list[Result]]:
        found = []
        for call, results in Fleet(runs, self.machines, "simulated").calls():
            name = runs.nodes[call].name
            for place, result in enumerate(results):
                forecast = self.forecasts[place]
                forecast.tallies.setdefault(name, Tally()).add(tally(runs, call, result))
                self._add_pairs(runs, call, place, result)
            found.append(results)
        for place, forecast in enumerate(self.forecasts):
            results = [each[place] for each in found]
            _add_outputs(forecast.outputs, runs, results, self._labels)
            self._add_bounds(runs, place)
        return found

    def _add_pairs(self, runs: Runs, call: int, place: int, result: Result) -> None:
        machine, node = self.machines[place], self.machines[place].node(runs.nodes[call])
        op = registry().get(node.op)
        if op is None or op.kernel is None:
            return
        known = [run for run in range(len(runs)) if run not in result.unknown]
        operands = tuple(_chosen(o, known, len(runs)) for o in result.operands)
        first = runs.first
        layer = first.program.layers.get(node.layer)
        job = Job(node, layer, operands, len(known), first.environment.threads)
        own = self.forecasts[place].pairs.setdefault(node.name, {})
        for key, cut in cuts(job, machine.arithmetic).items() if known else ():
            own.setdefault(key, Cut(cut.k)).add(cut)

    def _add_bounds(self, runs: Runs, place: int) -> None:
        machine, own = self.machines[place], self.forecasts[place].bounds
        missing = [node.name for node in runs.nodes if node.name not in own]
        if missing:
            known = ranges(runs.first, machine)
            own |= {b.call: b for b in bounds(runs.first, machine, known) if b.call in missing}


def _chosen(operand: Stacked, known: list[int], count: int) -> Stacked:
    if operand.shared or len(known) == count:
        return operand
    return replace(operand, value=operand.value[known])


def output_call(runs: Runs) -> int:
    """The call whose result stands for the model's output: the first one that it returned, else
    the last one of all."""
    return runs.links.outputs[0] if runs.links.outputs else len(runs.nodes) - 1


def _add_outputs(outputs: Outputs, runs: Runs, results: list[Result], labels: Array | None) -> None:
    call, rows = output_call(runs), runs.first.input.shape[0]
    captured, result = runs.values[call], results[call]
    known = np.ones(len(runs), dtype=bool)
    known[list(result.unknown)] = False
    different = result.different(captured)[known]
    by_row = captured.ndim >= AXES and captured.shape[1] == rows
    size = int(np.prod(captured.shape[2 if by_row else 1 :], dtype=np.int64))
    lots = different.reshape(-1, max(1, size)).any(axis=1)
    outputs.values += different.size
    outputs.differences += int(np.count_nonzero(different))
    outputs.max_delta = max(outputs.max_delta, tally(runs, call, result).max_delta)
    outputs.samples += len(different) * rows
    outputs.unknown += len(result.unknown) * rows
    outputs.changed += int(np.count_nonzero(lots)) * (1 if by_row else rows)
    if by_row and captured.ndim == AXES + 1 and captured.shape[-1] > 1:
        _add_classes(outputs, runs, (captured[known], result.values[known]), known, labels)


def _add_classes(
    outputs: Outputs,
    runs: Runs,
    values: tuple[Array, Array],
    known: Array,
    labels: Array | None,
) -> None:
    """The largest output of a sample is its class, the first of equal ones."""
    outputs.classified = True
    before, after = (each.argmax(axis=-1).reshape(-1) for each in values)
    rows = runs.first.input.shape[0]
    samples = (runs.samples[known][:, None] + np.arange(rows)).reshape(-1)
    for n in np.flatnonzero(before != after):
        outputs.flips.append(Flip(int(samples[n]), int(before[n]), int(after[n])))
    if labels is not None:
        outputs.labelled += len(samples)
        outputs.right += int(np.count_nonzero(after == labels[samples]))
        outputs.right_captured += int(np.count_nonzero(before == labels[samples]))
