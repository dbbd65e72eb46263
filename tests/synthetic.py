"""A recording made without PyTorch: its captured integers are those of fbgemm-avx2."""

from dataclasses import replace

import numpy as np

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import INPUT, Environment, Layer, Node, Program, Recording, Unseen
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine.trace import Trace

NNQ = "torch.ao.nn.quantized.modules"


def weight(random, outputs, inputs):
    q = random.integers(-128, 128, (outputs, inputs)).astype(np.int8)
    scale = random.uniform(0.001, 0.01, outputs)
    return QTensor(q, QParams(scale, np.zeros(outputs, np.int64), "qint8", 0))


def linear(path, random, outputs, inputs, scale):
    bias = random.normal(size=outputs).astype(np.float32)
    params = QParams.per_tensor(scale, 128)
    return Layer(path, f"{NNQ}.linear.Linear", weight(random, outputs, inputs), bias, params)


def layers(random, inputs=4):
    found = [
        Layer("", "__main__.IrisNet"),
        Layer("quant", f"{NNQ}.Quantize", output=QParams.per_tensor(25 / 1024, 128)),
        linear("fc1", random, 16, inputs, 13 / 256 * (inputs / 4) ** 0.5),
        Layer("relu", "torch.nn.modules.activation.ReLU"),
        linear("fc2", random, 3, 16, 13 / 128),
        Layer("dequant", f"{NNQ}.DeQuantize"),
    ]
    return {layer.path: layer for layer in found}


def nodes(by_path, rows, inputs=4):
    steps = [
        ("quant", "quantize", inputs, by_path["quant"].output),
        ("fc1", "linear", 16, by_path["fc1"].output),
        ("relu", "relu", 16, by_path["fc1"].output),
        ("fc2", "linear", 3, by_path["fc2"].output),
        ("dequant", "dequantize", 3, None),
    ]
    return tuple(
        Node(
            f"{path}:{op}", op, path, f"iris_qat.py:{21 + i}", (i - 1 if i else INPUT,),
            (rows, width), "quint8" if params is not None else "float32", params, ("x",),
        )
        for i, (path, op, width, params) in enumerate(steps)
    )  # fmt: skip


def recording(seed=0, arithmetic="fbgemm-avx2", rows=1, inputs=4):
    random = np.random.default_rng(seed)
    by_path = layers(random, inputs)
    found = nodes(by_path, rows, inputs)
    empty = tuple(np.zeros(n.shape, np.float32 if n.output is None else np.uint8) for n in found)
    engine, _, level = arithmetic.partition("-")
    made = Recording(
        model="iris_qat.pth",
        sha256="0" * 64,
        sample="versicolor",
        input=(random.normal(size=(rows, inputs)) * 2 + 1).astype(np.float32),
        environment=Environment(engine, level, "2.13.0", "a CPU", "saturating pairs", True),
        program=Program(found, by_path),
        values=empty,
        unseen=Unseen(),
    )
    trace = Trace(made, ARITHMETICS[arithmetic], "simulated")
    return replace(made, values=tuple(trace.simulation(i).result for i in range(len(found))))


def with_unknown_op(made):
    """The same, but ReLU is an op that qdbg does not know."""
    known = made.program.nodes
    changed = tuple(replace(n, op="aten.sigmoid") if n.op == "relu" else n for n in known)
    return replace(made, program=Program(changed, made.program.layers))
