"""Recordings of convolutions made without PyTorch: their captured integers are simulated ones.

`python -m tests.images FILE` saves the large one as a session, for the benchmark and to look at.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import INPUT, Environment, Layer, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.debugger import Debugger
from qdbg.engine.trace import Trace
from qdbg.session import Session, save

NNQ = "torch.ao.nn.quantized.modules"
INPUT_PARAMS = QParams.per_tensor(1 / 64, 120)


@dataclass(frozen=True)
class Conv:
    """One convolution of an image [N, inputs, *size]; its input is quantized first."""

    size: tuple[int, ...] = (12, 14)
    inputs: int = 3
    outputs: int = 8
    samples: int = 2
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    dilation: int = 1
    groups: int = 1
    arithmetic: str = "fbgemm-avx2"


def image(random, conv):
    """Smooth hills with noise, another for each channel."""
    axes = np.meshgrid(*(np.linspace(0, 7, n) for n in conv.size), indexing="ij")
    found = random.normal(0, 0.2, (conv.samples, conv.inputs, *conv.size))
    for channel in range(conv.inputs):
        hills = 1.5 * sum(np.sin(a * (1 + channel / 3) + channel) for a in axes)
        found[:, channel] += hills / len(axes)
    return found.astype(np.float32)


def layers(random, conv):
    """What the file holds."""
    taps = (conv.kernel,) * len(conv.size)
    shape = (conv.outputs, conv.inputs // conv.groups, *taps)
    weights = random.integers(-128, 128, shape).astype(np.int8)
    scale = random.uniform(0.002, 0.004, conv.outputs)
    zero_points = np.zeros(conv.outputs, np.int64)
    spread = np.sqrt(weights[0].size) * 74 * 50 / 64 * 0.003
    settings = {
        "stride": [conv.stride] * len(taps), "padding": [conv.padding] * len(taps),
        "dilation": [conv.dilation] * len(taps), "groups": conv.groups, "padding_mode": "zeros",
        "in_channels": conv.inputs, "out_channels": conv.outputs,
    }  # fmt: skip
    bias = random.normal(0, 0.3, conv.outputs).astype(np.float32)
    made = (
        Layer("quant", f"{NNQ}.Quantize", output=INPUT_PARAMS),
        Layer(
            "conv1", f"{NNQ}.conv.Conv{len(taps)}d",
            QTensor(weights, QParams(scale, zero_points, "qint8", 0)), bias,
            QParams.per_tensor(spread / 40, 100), settings,
        ),
    )  # fmt: skip
    return {layer.path: layer for layer in made}


def recording(conv=None, seed=0):
    """quantize, convolution, ReLU."""
    conv = conv or Conv()
    random = np.random.default_rng(seed)
    by_path = layers(random, conv)
    x = image(random, conv)
    reach = conv.dilation * (conv.kernel - 1)
    out = tuple((n + 2 * conv.padding - reach - 1) // conv.stride + 1 for n in conv.size)
    shape, result = (conv.samples, conv.outputs, *out), by_path["conv1"].output
    nodes = (
        Node("quant:quantize", "quantize", "quant", "net.py:8", (INPUT,), x.shape, "quint8",
             INPUT_PARAMS, ("x",)),
        Node("conv1:conv", f"conv{len(out)}d", "conv1", "net.py:9", (0,), shape, "quint8", result,
             ("x",)),
        Node("relu:relu", "relu", "", "net.py:10", (1,), shape, "quint8", result, ("x",)),
    )  # fmt: skip
    engine, _, level = conv.arithmetic.partition("-")
    made = Recording(
        model="images.pth", sha256="0" * 64, sample="hills", input=x,
        environment=Environment(engine, level, "2.13.0", "a CPU", "saturating pairs", True),
        program=Program(nodes, by_path),
        values=tuple(np.zeros(node.shape, np.uint8) for node in nodes),
    )  # fmt: skip
    trace = Trace(made, ARITHMETICS[conv.arithmetic], "simulated")
    return replace(made, values=tuple(trace.simulation(i).result for i in range(len(nodes))))


MILLION = Conv(size=(128, 128), inputs=8, outputs=64, samples=1)
"""Its result has 2²⁰ elements."""


if __name__ == "__main__":
    save(Session.of(Debugger(recording(MILLION))), Path(sys.argv[1]))
