"""Numbers that people posted in PyTorch's issues come out of PyTorch and of qdbg alike."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from qdbg.capture.level import VARIABLES, machine_level
from qdbg.names import ENGINES, LEVELS

ROOT = Path(__file__).parents[2]
REACHED = LEVELS[: LEVELS.index(machine_level()) + 1]
CUT, WHOLE = "pairs are cut off", "sums are exact"
POSTED = {
    "76390 Conv1d 113": {CUT: [223], WHOLE: [255]},
    "76390 Conv1d 114": {CUT: [79], WHOLE: [255]},
    "76390 Linear 113": {CUT: [223], WHOLE: [255]},
    "76390 Linear 114": {CUT: [79], WHOLE: [255]},
    "56331": {CUT: [0], WHOLE: [0]},  # −2016 / 32 = −63
    "56331 with zero point": {CUT: [65], WHOLE: [65]},
    "44939": {CUT: [127], WHOLE: [129]},  # 33100 / 256, and 33100 − 511 over 256
}
"""By thread: the result where the kernels add in saturating pairs, and where they do not."""


ONE_CHANNEL = "44939"
"""oneDNN starts its pairs anew at each position of the kernel: nothing is cut off there. Whether it
does so on AVX-512 without VNNI depends on what it finds profitable."""


@cache
def found(engine, level):
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-m", "tests.oracle.public", engine, level],
        env=os.environ | VARIABLES[level] | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("thread", POSTED)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_posted_numbers(engine, level, thread):
    if level not in REACHED:
        pytest.skip(f"this machine has no {level}")
    alone = engine == "onednn" and thread == ONE_CHANNEL
    kernel = WHOLE if engine == "qnnpack" or level == "vnni" or alone else CUT
    integers, status, differences = found(engine, level)[thread]
    assert integers == POSTED[thread][kernel]
    refused = alone and level == "avx512"
    assert (status, differences) == ("not simulated" if refused else "equal", 0)
