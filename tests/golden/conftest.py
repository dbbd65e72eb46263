"""Golden files beside two recordings that need no PyTorch: the small classifier, and an image."""

import io
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from qdbg import golden
from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import INPUT, Environment, Layer, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine.trace import Trace
from tests.synthetic import NNQ
from tests.synthetic import recording as classifier

SCALES = QParams.per_tensor(0.05, 120)


def conv(path, random, shape, groups, stride):
    scale = random.uniform(0.005, 0.02, shape[0])
    params = QParams(scale, np.zeros(shape[0], np.int64), "qint8", 0)
    weight = QTensor(random.integers(-128, 128, shape).astype(np.int8), params)
    bias = random.normal(size=shape[0]).astype(np.float32)
    settings = {"stride": stride, "padding": (1, 1), "dilation": (1, 1), "groups": groups}
    return Layer(path, f"{NNQ}.conv.Conv2d", weight, bias, SCALES, settings)


def image_recording(seed=0):
    """1×3×6×8 through a strided convolution and a depthwise one, on a CPU with exact sums."""
    random = np.random.default_rng(seed)
    first = conv("block.0.conv", random, (4, 3, 3, 3), 1, (2, 2))
    second = conv("block.1.conv", random, (4, 1, 3, 3), 4, (1, 1))
    layers = {"quant": Layer("quant", f"{NNQ}.Quantize", output=SCALES)}
    layers |= {layer.path: layer for layer in (first, second)}
    steps = [("quant", "quantize", (1, 3, 6, 8)), (first.path, "conv2d", (1, 4, 3, 4))]
    steps.append((second.path, "conv2d", (1, 4, 3, 4)))
    nodes = tuple(
        Node(f"{path}:{op}", op, path, None, (i - 1 if i else INPUT,), shape, "quint8", SCALES, "x")
        for i, (path, op, shape) in enumerate(steps)
    )
    made = Recording(
        model="image.pth",
        sha256="0" * 64,
        sample="--input x.npy",
        input=random.normal(size=(1, 3, 6, 8)).astype(np.float32),
        environment=Environment("fbgemm", "vnni", "2.13.0", "a CPU", "exact sums", True),
        program=Program(nodes, layers),
        values=tuple(np.zeros(node.shape, np.uint8) for node in nodes),
    )
    trace = Trace(made, ARITHMETICS["fbgemm-vnni"], "simulated")
    return replace(made, values=tuple(trace.simulation(i).result for i in range(len(nodes))))


@pytest.fixture(scope="session")
def small():
    return classifier()


@pytest.fixture(scope="session")
def image():
    return image_recording()


@pytest.fixture
def functions(tmp_path, small):
    """Run a golden file of Python on the small recording, or on another one."""

    def run(text, recording=small, **options):
        path = tmp_path / "golden.py"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return golden.load(path, recording, **options)

    return run


def captured(recording, name):
    """The captured values of a call, by its name."""
    index = [node.name for node in recording.program.nodes].index(name)
    return recording.values[index]


def only(found):
    """The one column of a golden model."""
    ((call, column),) = found.columns.items()
    return found.recording.program.nodes[call].name, column


@pytest.fixture
def load(tmp_path, small):
    """Load a file of that name and content beside the small recording, or another one."""

    def run(name, content, recording=small):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return golden.load(path, recording)

    return run


def npz(arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
