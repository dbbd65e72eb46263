"""Runs in a child process: whole models through reader, capture and simulation, one level.

`whole.py LEVEL SEED MODELS ENGINE…`. Prints one JSON object: by engine calls and values compared
and values that differ, for all rows of Iris through both shipped models, and for random multilayer
perceptrons.
"""

import json
import sys
import tempfile
import warnings
from functools import cache
from itertools import pairwise
from pathlib import Path

LEVEL, SEED, MODELS, *ENGINES = sys.argv[1:]
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.ao.nn.intrinsic.quantized as nniq  # noqa: E402
import torch.ao.nn.quantized as nnq  # noqa: E402
from torch import nn  # noqa: E402

from qdbg.capture import isa, run  # noqa: E402
from qdbg.capture.request import Request  # noqa: E402
from qdbg.core.quantity import readonly  # noqa: E402
from qdbg.engine.trace import Trace  # noqa: E402
from qdbg.reader import find_forward, read_model  # noqa: E402
from qdbg.samples import Sample  # noqa: E402
from qdbg.sets import sample_set  # noqa: E402
from tests.released import HERE  # noqa: E402

ROOT = Path(__file__).parents[2]


@cache
def decoded(path):
    model = read_model(path)
    return model, find_forward(model, None)


def traced(engine, path, values):
    sample = Sample("test", readonly(values.astype(np.float32)), "")
    request = Request(path, None, False, engine, LEVEL, sample)
    made = run.record(request, *decoded(path), lambda _: None)
    assert made.environment.unperturbed
    return Trace(made, HERE[f"{engine}-{LEVEL}"])


def counted(traces):
    comparisons = [c for trace in traces for c in trace.comparisons]
    assert all(c.status != "not simulated" for c in comparisons)
    return [
        len(comparisons),
        sum(c.elements for c in comparisons),
        sum(c.differences for c in comparisons),
    ]


def iris(engine):
    rows = sample_set("iris").values
    paths = [ROOT / "models" / f"{name}.pth" for name in ("iris_qat", "iris_ptq")]
    found = [traced(engine, path, rows) for path in paths]
    by_hand = Trace(found[0].recording, HERE["textbook"]).differences
    return counted(found), by_hand


def weight(random, outputs, inputs, per_channel, tie):
    w = random.integers(-128, 128, (outputs, inputs)).astype(np.int8)
    integers = torch.from_numpy((w // 16).astype(np.int8) if tie else w)
    size = outputs if per_channel else None
    scale = random.uniform(1e-4, 0.02, size)
    if tie:
        scale = 2.0 ** -random.integers(5, 8, size).astype(float)
    if not per_channel:
        return torch._make_per_tensor_quantized_tensor(integers, float(scale), 0), scale
    zero = torch.zeros(outputs, dtype=torch.int64)
    made = torch._make_per_channel_quantized_tensor(integers, torch.from_numpy(scale), zero, 0)
    return made, scale


def perceptron(random):
    """One to four Linear layers of 1 to 130 inputs, between Quantize and DeQuantize."""
    tie = random.random() < 0.4
    scale = 2.0**-4 if tie else random.uniform(0.01, 0.1)
    widths = random.integers(1, 131, random.integers(2, 6))
    layers = [nnq.Quantize(float(np.float32(scale)), int(random.integers(0, 256)), torch.quint8)]
    for inputs, outputs in pairwise(widths):
        per_channel, fused, bias, relu = random.random(4) < 0.5
        made, w_scale = weight(random, outputs, inputs, per_channel, tie)
        layer = (nniq.LinearReLU if fused else nnq.Linear)(int(inputs), int(outputs))
        unit = scale * np.max(w_scale)
        b = torch.from_numpy(random.normal(0, unit * 2000, outputs).astype(np.float32))
        layer.set_weight_bias(made, b if bias else None)
        scale = unit * np.sqrt(inputs) * 2.0 ** random.integers(3, 9)
        if not tie:
            scale *= random.uniform(0.5, 1)
        layer.scale, layer.zero_point = float(scale), int(random.integers(0, 256))
        layers += [layer, nn.ReLU()] if relu else [layer, nn.Dropout()]
    return nn.Sequential(*layers, nnq.DeQuantize()).eval(), int(widths[0])


def perceptrons(folder):
    """Paths of random ones, each with what it is fed."""
    random = np.random.default_rng(int(SEED))
    for number in range(int(MODELS)):
        net, inputs = perceptron(random)
        path = Path(folder) / f"{number}.pth"
        torch.save(net, path)
        rows = int(random.choice([1, 1, 3, 8]))
        yield path, random.normal(0, 4, (rows, inputs))


def compared(engine, made):
    torch.backends.quantized.engine = engine
    shipped, by_hand = iris(engine)
    mlp = counted([traced(engine, path, values) for path, values in made])
    return {"iris": shipped, "by hand": by_hand, "mlp": mlp}


isa.force(LEVEL)
run.force = lambda _: None  # the flags can be checked and cleared only once in a process
with tempfile.TemporaryDirectory() as folder:
    made = list(perceptrons(folder))
    found = {engine: compared(engine, made) for engine in ENGINES}
sys.stdout.write(json.dumps(found) + "\n")
