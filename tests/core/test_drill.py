"""The printed drill-down of a padded convolution's element, under each library."""

from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import INPUT, Environment, Layer, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine.terms import places
from qdbg.engine.trace import Trace
from qdbg.headless.drill import element_text
from qdbg.ops.conv_transpose import reached

GEOMETRY = {"stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1}
PARAMS = QParams.per_tensor(0.5, 7)


def convolution(engine):
    """Two calls: quantized 3x3 pixels of two channels, and a 2x2 convolution with four."""
    random = np.random.default_rng(0)
    q = random.integers(-128, 128, (4, 2, 2, 2)).astype(np.int8)
    weight = QTensor(q, QParams.per_tensor(0.01, 0, "qint8"))
    layer = Layer(
        "conv", "torch.ao.nn.quantized.modules.conv.Conv2d", weight, None, PARAMS, GEOMETRY
    )
    real = random.normal(size=(1, 2, 3, 3)).astype(np.float32) * 50
    first = Node("q:quantize", "quantize", "", "", (INPUT,), real.shape, "quint8", PARAMS, ("x",))
    last = replace(
        first, name="conv:conv2d", op="conv2d", layer="conv", inputs=(0,), shape=(1, 4, 4, 4)
    )
    values = tuple(np.zeros(node.shape, np.uint8) for node in (first, last))
    environment = Environment(engine, "avx2", "2.13.0", "a CPU", "saturating pairs", True)
    program = Program((first, last), {"": Layer("", "Net"), "conv": layer})
    made = Recording("net.pth", "0" * 64, "x", real, environment, program, values)
    trace = Trace(made, ARITHMETICS[f"{engine}-avx2"], "simulated")
    made = replace(made, values=tuple(trace.simulation(call).result for call in range(2)))
    return Trace(made, ARITHMETICS[f"{engine}-avx2"])


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("fbgemm", ["by FBGEMM: the fbgemm engine computes", "padding\n", "0,0 ch 1"]),
        ("onednn", ["by oneDNN: the onednn engine computes", "left out\n", "0,0 ch 1"]),
        ("qnnpack", ["by QNNPACK: the qnnpack engine computes", "padding\n", "0,0 ch 1"]),
    ],
)
def test_a_windows_places_and_the_library_are_told(engine, said):
    text = element_text(convolution(engine), "conv:conv2d[0,0,0,3]")
    assert [words for words in said if words not in text] == []


def test_what_holds_for_all_terms_is_said_once():
    """Also where the channel is beyond the axes of the kernel."""
    text = element_text(convolution("onednn"), "conv:conv2d[0,0,0,3]")
    assert text.count("anew every 2 inputs") == 1
    assert text.count("k over 2×2 and channels") == 1


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(2, 1, 1), (3, 0, 2), (1, 2, 1)])
def test_a_transposed_window_names_the_pixels_that_it_takes(stride, padding, dilation):
    geometry = {"stride": (stride,) * 2, "padding": (padding,) * 2, "dilation": (dilation,) * 2}
    image = np.arange(4 * 5).reshape(1, 1, 4, 5)
    taken = reached(image, geometry | {"kernel": (3, 2), "output_padding": (0, 0)}, -1)
    values = {
        **geometry, "kernel_size": (3, 2), "transposed": True, "x_size": (4, 5), "x_channels": 1,
        "groups": 1, "x_q": taken.reshape(1, *taken.shape[2:4], 1, -1), "w_q": np.zeros((1, 6)),
    }  # fmt: skip
    for row, column in np.ndindex(taken.shape[2:4]):
        named = [
            "no pixel" if n < 0 else f"{n // 5},{n % 5} ch 0" for n in taken[0, 0, row, column].flat
        ]
        assert list(places(values, (0, row, column, 0))) == named
