"""Which convolutions oneDNN's kernels for AVX-512 leave undefined."""

import itertools

import numpy as np
import pytest

from qdbg.core.op import NotSimulated
from qdbg.core.presets import ARITHMETICS
from qdbg.ops._windows import Geometry, Windows, windows
from qdbg.ops.conv import kernel


def layer(size, geometry):
    """Of one image and 16 channels, as `conv.operands` has it."""
    found = windows(np.zeros((1, 16, *size), np.uint8), geometry, 3)
    axes = ("stride", "padding", "dilation")
    return {
        "x_q": Windows(found, 1),
        "w_q": np.zeros((16, 16 * int(np.prod(geometry.kernel))), np.int8),
        **{name: np.array(1.5) for name in ("x_scale", "w_scale", "y_scale")},
        **{name: np.array(0) for name in ("x_zp", "w_zp")},
        "groups": np.array(1),
        "x_channels": np.array(16),
        "x_size": np.array(size),
        "kernel_size": np.array(geometry.kernel),
        **{name: np.array(getattr(geometry, name)) for name in axes},
    }


def some_window_sees_no_pixel(size, geometry):
    seen = windows(np.ones((1, 1, *size), np.uint8), geometry, 0)
    axes = tuple(range(seen.ndim - len(size), seen.ndim))
    return not seen.any(axis=axes).all()


@pytest.mark.parametrize("level", ["avx512", "vnni"])
def test_a_window_that_lies_in_the_padding_alone_is_refused_and_no_other_is(level):
    seen = set()
    for kernel_size, stride, padding, dilation in itertools.product(
        (1, 2, 3), (1, 2), (0, 1, 2), (1, 2)
    ):
        size = (3, 4)
        geometry = Geometry((kernel_size, 2), (stride, 1), (padding, 1), (dilation, 1))
        if geometry.extent[0] > size[0] + 2 * padding:
            continue
        expected = some_window_sees_no_pixel(size, geometry)
        try:
            kernel(ARITHMETICS[f"onednn-{level}"], layer(size, geometry))
            refused = False
        except NotSimulated as reason:
            refused = "lies in the padding alone" in str(reason)
        assert refused == expected, geometry
        seen.add(refused)
    assert seen == {False, True}
