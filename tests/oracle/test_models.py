"""Whole models through reader, capture and simulation, every engine on every CPU level."""

import json
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from qdbg.capture.level import machine_level
from qdbg.names import ENGINES, LEVELS
from tests.forked import printed

REACHED = LEVELS[: LEVELS.index(machine_level()) + 1]
MODELS = 50
"""Random ones per engine and level; the self-test draws single layers by the thousand."""


def run(level):
    """What the script prints by engine, and the seed that it was given."""
    seed = secrets.randbits(32)
    said = printed(level, "tests.oracle.whole", level, seed, MODELS, *ENGINES)
    return seed, json.loads(said)


@pytest.fixture(scope="module")
def models():
    with ThreadPoolExecutor(2) as pool:  # that is what the smallest machine has cores for
        return dict(zip(REACHED, pool.map(run, REACHED), strict=True))


def reached(level):
    if level not in REACHED:
        pytest.skip(f"this machine has no {level}")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_all_rows_of_iris_and_random_models_equal_pytorchs(models, engine, level):
    reached(level)
    seed, found = models[level]
    counts = found[engine]
    for kind in ("iris", "mlp"):
        calls, compared, different = counts[kind]
        assert calls >= 10
        assert compared > 5_000
        assert different == 0, f"{kind}: {different} of {compared} differ, seed {seed}"


@pytest.mark.parametrize("engine", ["fbgemm", "x86", "onednn"])
def test_by_hand_hundreds_of_integers_differ_without_vnni(models, engine):
    _, found = models["avx2"]
    assert found[engine]["by hand"] > 500
