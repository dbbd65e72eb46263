"""Which of oneDNN's transposed convolutions are claimed on VNNI."""

import numpy as np
import pytest

from qdbg.core.op import NotSimulated
from qdbg.core.presets import ARITHMETICS
from qdbg.ops._conv_kernel import UNKNOWN
from qdbg.ops.conv_transpose import RAGGED, kernel


def layer(*, out, channels, stride=2, groups=1, vbmi=0):
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
        "vbmi": np.array(vbmi),
    }


@pytest.mark.parametrize("engine", ["onednn", "x86"])
@pytest.mark.parametrize("vbmi", [0, UNKNOWN])
def test_without_vbmi_a_size_that_the_stride_does_not_divide_is_refused_with_odd_channels(
    engine, vbmi
):
    with pytest.raises(NotSimulated) as refused:
        kernel(ARITHMETICS[f"{engine}-vnni"], layer(out=15, channels=5, vbmi=vbmi))
    assert str(refused.value) == RAGGED


@pytest.mark.parametrize(
    "numbers",
    [
        {"out": 16, "channels": 5},
        {"out": 15, "channels": 5, "vbmi": 1},
        {"out": 15, "channels": 8},
        {"out": 15, "channels": 5, "stride": 1},
    ],
)
def test_other_sizes_and_channels_are_added_exactly(numbers):
    found = kernel(ARITHMETICS["onednn-vnni"], layer(**numbers))
    assert (found.library, found.accumulator) == ("oneDNN", "exact")
