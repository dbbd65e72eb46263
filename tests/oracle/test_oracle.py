"""qdbg's integers are PyTorch's integers: fresh random layers, every engine on every CPU level."""

import json
import os
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qdbg.capture.level import VARIABLES, machine_level
from qdbg.core.program import ENGINES, LEVELS

ROOT = Path(__file__).parents[2]
REACHED = LEVELS[: LEVELS.index(machine_level()) + 1]
LAYERS = 600

CAUGHT = [
    ("exact sums", "fbgemm", "avx2"),
    ("exact sums", "onednn", "avx2"),
    ("saturating pairs", "fbgemm", "vnni"),
    ("pairs not blocked", "onednn", "avx2"),
    ("pairs start at the second input", "fbgemm", "avx2"),
    ("fbgemm rounds half away", "fbgemm", "vnni"),
    ("fbgemm rounds the bias", "fbgemm", "vnni"),
    ("fbgemm adds the bias with two roundings", "fbgemm", "vnni"),
    ("fbgemm multiplies in float64", "fbgemm", "vnni"),
    ("qnnpack does not round the bias", "qnnpack", "avx2"),
    ("qnnpack multiplies in float64", "qnnpack", "avx2"),
    ("onednn adds the zero point after rounding", "onednn", "vnni"),
    ("onednn multiplies in the order of AVX2", "onednn", "vnni"),
    ("onednn multiplies in the order of VNNI", "onednn", "avx2"),
    ("the zero point of the input is forgotten", "qnnpack", "avx2"),
    ("the zero point of the sum is forgotten", "fbgemm", "avx2"),
    ("the clamp wraps", "fbgemm", "vnni"),
    ("quantize divides", "fbgemm", "vnni"),
    ("quantize rounds twice", "fbgemm", "vnni"),
    ("dequantize does not round the scale", "fbgemm", "vnni"),
    ("relu at zero", "fbgemm", "vnni"),
]


def compare(engine, level, fault="none", layers=LAYERS):
    seed = secrets.randbits(32)
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-m", "tests.oracle.child", engine, level, str(seed), str(layers), fault],
        env=os.environ | VARIABLES[level] | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return seed, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def comparisons():
    """Two processes at a time: that is what the smallest machine has cores for."""
    cells = [(e, c) for e in ENGINES for c in REACHED]
    faults = [(e, c, f) for f, e, c in CAUGHT if c in REACHED]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda cell: compare(*cell), cells))
        broken = list(pool.map(lambda cell: compare(*cell, layers=300), faults))
    return dict(zip(cells, found, strict=True)), dict(zip(faults, broken, strict=True))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_integer_equals_pytorchs(comparisons, engine, level):
    if level not in REACHED:
        pytest.skip(f"this machine has no {level}")
    seed, counts = comparisons[0][engine, level]
    for kind, (compared, different) in counts.items():
        assert compared > 10_000
        assert different == 0, f"{kind}: {different} of {compared} differ, seed {seed}"


@pytest.mark.parametrize(("fault", "engine", "level"), CAUGHT)
def test_a_seeded_fault_is_caught(comparisons, fault, engine, level):
    if level not in REACHED:
        pytest.skip(f"this machine has no {level}")
    _, counts = comparisons[1][engine, level, fault]
    assert sum(different for _, different in counts.values()) > 0
