"""Whole models through reader, capture and simulation, every engine on every CPU level."""

import json
import os
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qdbg.capture.level import VARIABLES, machine_level
from qdbg.names import ENGINES, LEVELS

ROOT = Path(__file__).parents[2]
REACHED = LEVELS[: LEVELS.index(machine_level()) + 1]
CELLS = [(engine, level) for engine in ENGINES for level in REACHED]
MODELS = 50
"""Random ones per engine and level; the self-test draws single layers by the thousand."""


def run(script, engine, level, *arguments):
    """What the script prints, and the seed that it was given."""
    seed = secrets.randbits(32)
    done = subprocess.run(  # noqa: S603 - our own scripts
        [sys.executable, "-m", f"tests.oracle.{script}", engine, level, str(seed), *arguments],
        env=os.environ | VARIABLES[level] | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return seed, json.loads(done.stdout.splitlines()[-1])


def in_pairs(work, items):
    """Two processes at a time: that is what the smallest machine has cores for."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(items, pool.map(work, items), strict=True))


@pytest.fixture(scope="module")
def models():
    return in_pairs(lambda cell: run("whole", *cell, str(MODELS)), CELLS)


def reached(level):
    if level not in REACHED:
        pytest.skip(f"this machine has no {level}")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_all_rows_of_iris_and_random_models_equal_pytorchs(models, engine, level):
    reached(level)
    seed, counts = models[engine, level]
    for kind in ("iris", "mlp"):
        calls, compared, different = counts[kind]
        assert calls >= 10
        assert compared > 5_000
        assert different == 0, f"{kind}: {different} of {compared} differ, seed {seed}"


@pytest.mark.parametrize("engine", ["fbgemm", "x86", "onednn"])
def test_by_hand_hundreds_of_integers_differ_without_vnni(models, engine):
    _, counts = models[engine, "avx2"]
    assert counts["by hand"] > 500
