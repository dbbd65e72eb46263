"""Float32 sums have ATen's last bits, whatever the axes and their order in memory are."""

import json
import os
import subprocess
import sys

from qdbg.capture.level import VARIABLES


def test_sums_over_any_axes_are_atens_bit_for_bit():
    child = [sys.executable, "-W", "ignore", "-m", "tests.oracle.float_sums", "400"]
    env = os.environ | VARIABLES["avx2"]
    ran = subprocess.run(child, env=env, capture_output=True, check=True)  # noqa: S603
    compared, differing, row_by_row = json.loads(ran.stdout)
    assert compared > 100_000
    assert not differing
    assert row_by_row > compared // 10
