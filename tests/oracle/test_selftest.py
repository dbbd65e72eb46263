"""qdbg's integers are PyTorch's integers: every op drawn anew, every engine on every CPU level."""

import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from qdbg.capture.level import machine_level
from qdbg.headless.selftest import run_task
from qdbg.names import ENGINES, LEVELS
from qdbg.selftest.cell import Task
from qdbg.selftest.faults import faults
from tests.released import HERE

REACHED = LEVELS[: LEVELS.index(machine_level()) + 1]
CELLS = [(engine, level) for engine in ENGINES for level in REACHED]
ROUNDS = 5
"""So many cases of each generator, per engine and level; `qdbg selftest` draws as long as it is
told to. Seconds would count for less on a busy machine."""
MOST = ("linear", "conv2d", "add", "relu", "max_pool2d", "quantize", "transpose", "upsample_near")
"""Beginnings of ops of which even the shortest run must compare something on each engine."""


def shared_out():
    """Each seeded fault is proved in one of the cells where it shows, the least busy one."""
    found, load = {cell: [] for cell in CELLS}, Counter()
    for fault in faults():
        shows = [cell for cell in CELLS if fault.shows(HERE["-".join(cell)])]
        if shows:
            chosen = min(shows, key=lambda cell: (load[cell], CELLS.index(cell)))
            load[chosen] += 1
            found[chosen].append(fault.name)
    return found


def run(cell, names):
    seed = secrets.randbits(31)
    task = Task(*cell, (), seed, 0.0, tuple(names), ROUNDS)
    return seed, run_task(task, lambda *_: None)


@pytest.fixture(scope="module")
def cells():
    proofs = shared_out()
    with ThreadPoolExecutor(2) as pool:  # that is what the smallest machine has cores for
        made = pool.map(lambda cell: run(cell, proofs[cell]), CELLS)
        return dict(zip(CELLS, made, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("level", LEVELS)
def test_no_integer_of_any_op_differs_from_pytorchs(cells, engine, level):
    if level not in REACHED:
        pytest.skip(f"this machine has no {level}")
    seed, found = cells[engine, level]
    assert found.ended == ""
    different = {op: c.differences for op, c in found.counts.items() if c.differences}
    assert different == {}, f"seed {seed}, of {found.differences}"


@pytest.mark.parametrize("engine", ENGINES)
def test_even_the_shortest_run_compares_the_usual_ops(cells, engine):
    runs = [found for (own, _), (_, found) in cells.items() if own == engine]
    compared = {op for found in runs for op, count in found.counts.items() if count.compared}
    assert [op for op in MOST if not any(name.startswith(op) for name in compared)] == []


def test_every_seeded_fault_is_caught(cells):
    proved = [found for _, found in cells.values()]
    assert [name for found in proved for name in found.missed] == []
    assert sum(len(found.faults) for found in proved) == sum(map(len, shared_out().values()))
