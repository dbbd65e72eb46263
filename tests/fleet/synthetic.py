"""Runs made without PyTorch: those of the synthetic recording, each with an input of its own."""

from dataclasses import replace

import numpy as np

from qdbg.core.presets import ARITHMETICS
from qdbg.core.runs import Links, stacked
from qdbg.engine.trace import Trace
from tests.synthetic import recording

LINKS = Links(frozenset(), frozenset(), None, (4,), True)


def runs_of(count=10, arithmetic="fbgemm-vnni", seed=0, links=LINKS):
    made = recording(seed, arithmetic)
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        fed = (random.normal(size=(1, 4)) * 2 + 1).astype(np.float32)
        found.append(with_input(replace(made, sample=f"s:{number}"), fed))
    return stacked(found, range(count), links)


def with_input(made, fed):
    """The run of another input."""
    own = replace(made, input=fed)
    where = own.environment
    trace = Trace(own, ARITHMETICS[f"{where.engine}-{where.cpu}"], "simulated")
    values = tuple(trace.simulation(call).result for call in range(len(trace.nodes)))
    return replace(own, values=values)


def alone(runs, run):
    """One of the runs as a recording."""
    return replace(
        runs.first, input=runs.inputs[run], values=tuple(value[run] for value in runs.values)
    )
