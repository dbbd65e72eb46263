"""Predictions held against what PyTorch gives where it can be made to run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from qdbg.core.quantity import Array
from qdbg.core.runs import Runs
from qdbg.engine.compare import differs
from qdbg.fleet.feed import Result


@dataclass(slots=True)
class Verdict:
    """One machine: PyTorch's values against the predicted ones."""

    machine: str
    refused: str = ""
    """Why PyTorch could not run there."""
    compared: int = 0
    differences: int = 0
    unknown: int = 0
    """Values that were not predicted."""
    samples: int = 0
    first: tuple[str, int] | None = None
    """The call and the sample of the first difference."""
    foreign: list[str] = field(default_factory=list)
    """Calls that were not among those captured before."""

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the prediction."""
        return not self.differences and not self.foreign


class Predicted:
    """The predicted values of one machine, by call and sample."""

    def __init__(self, portions: Sequence[tuple[Runs, Sequence[Result]]]) -> None:
        self._places: dict[tuple[str, int], tuple[Array, int, bool]] = {}
        for runs, results in portions:
            for node, result in zip(runs.nodes, results, strict=True):
                for run, sample in enumerate(runs.samples.tolist()):
                    known = run not in result.unknown
                    self._places[node.name, sample] = (result.values, run, known)
        self._left = set(self._places)

    def check(self, runs: Runs, verdict: Verdict) -> None:
        """Compare some runs of PyTorch's."""
        verdict.samples += len(runs) * runs.first.input.shape[0]
        for node, values in zip(runs.nodes, runs.values, strict=True):
            for run, sample in enumerate(runs.samples.tolist()):
                self._check_one((node.name, sample), values[run], verdict)

    def _check_one(self, key: tuple[str, int], value: Array, verdict: Verdict) -> None:
        self._left.discard(key)
        held, run, known = self._places.get(key, (np.zeros((1, 0)), 0, True))
        own = held[run]
        if own.shape != value.shape or own.dtype != value.dtype:
            if key[0] not in verdict.foreign:
                verdict.foreign.append(key[0])
        elif not known:
            verdict.unknown += value.size
        else:
            verdict.compared += value.size
            wrong = int(np.count_nonzero(differs(own, value)))
            verdict.differences += wrong
            if wrong and verdict.first is None:
                verdict.first = key

    def finish(self, verdict: Verdict) -> None:
        """Predicted calls that PyTorch never made are no prediction."""
        names = {name for name, _ in self._left}
        verdict.foreign += sorted(names.difference(verdict.foreign))
