"""Which of oneDNN's transposed convolutions are claimed on VNNI."""

import numpy as np
import pytest

from qdbg.core.arithmetic import ARITHMETICS
from qdbg.ops.conv_transpose import kernel


def layer(*, out, channels, stride=2, groups=1):
    return {
        "x_q": np.zeros((1, out, channels // groups, 3), np.uint8),
        "w_q": np.zeros((channels, channels // groups, 3), np.int8),
        "w_zp": np.zeros(1, np.int64),
        "x_channels": np.array(channels),
        "groups": np.array(groups),
        "kernel": np.array([3]),
        "stride": np.array([stride]),
        "dilation": np.array([1]),
        "output_padding": np.array([0]),
    }


@pytest.mark.parametrize(
    "numbers",
    [
        {"out": 16, "channels": 5},
        {"out": 15, "channels": 5},
        {"out": 15, "channels": 8},
        {"out": 15, "channels": 5, "stride": 1},
    ],
)
def test_every_size_and_number_of_channels_is_added_exactly(numbers):
    found = kernel(ARITHMETICS["onednn-vnni"], layer(**numbers))
    assert (found.library, found.accumulator) == ("oneDNN", "exact")
