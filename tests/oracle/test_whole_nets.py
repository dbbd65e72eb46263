"""Nets as large as real ones: every integer equals PyTorch's, in little memory."""

import json

import pytest

from qdbg.capture.level import machine_level
from qdbg.names import LEVELS
from tests.forked import printed

CELLS = [
    ("resnet18", "full-avx2"),
    ("resnet18", "onednn-vnni"),
    ("mobilenetv2", "onednn-avx2"),
    ("mobilenetv2", "fbgemm-vnni"),
    ("mobilenetv2", "qnnpack-avx2"),
]


@pytest.mark.parametrize(("net", "cell"), CELLS)
def test_no_integer_of_a_large_net_differs(net, cell):
    level = cell.rpartition("-")[2]
    if LEVELS.index(level) > LEVELS.index(machine_level()):
        pytest.skip(f"this machine has no {level}")
    found = json.loads(printed(level, "tests.benchmark_nets", "--child", net, cell, 0))
    assert found["differences"] == 0
    assert found["refused"] == {}
    assert found["elements"] > 2_000_000
    assert found["kept"] <= 1.3
    assert found["peak"] <= 300e6
