"""Runs in a child process: fresh layers through PyTorch and through qdbg, one engine and level.

Prints one JSON object: how many integers were compared and how many differ, by kind of layer.
With a fault named, one rule of the arithmetic is changed first; the counts must then show it.
"""

import json
import sys

ENGINE, LEVEL, SEED, LAYERS, FAULT = sys.argv[1:6]

import torch  # noqa: E402 - the level's environment variables are set by the parent
import torch.ao.nn.intrinsic.quantized as nniq  # noqa: E402
import torch.ao.nn.quantized as nnq  # noqa: E402

from qdbg.capture import isa  # noqa: E402

torch.set_num_threads(1)
torch.backends.quantized.engine = ENGINE
isa.force(LEVEL)
isa.probe(ENGINE, LEVEL)

import numpy as np  # noqa: E402

from qdbg.core.arithmetic import ARITHMETICS  # noqa: E402
from qdbg.ops import registry  # noqa: E402
from tests.oracle.faults import FAULTS  # noqa: E402

EDGES = [1, 2, 3, 4, 5, 7, 8, 31, 33, 64, 65, 130, 256, 257, 258, 261, 262, 513, 514, 768, 769]


def run(op, values):
    found = {k: np.asarray(v) for k, v in values.items()}
    for stage in op.stages(arithmetic, found):
        found[stage.output] = np.asarray(stage.run(found))
    return found


def weights(random, outputs, inputs, tie):
    full = random.integers(-128, 128, (outputs, inputs)).astype(np.int8)
    if tie:
        return (full // 16).astype(np.int8)
    if random.random() < 0.4:
        return random.choice(np.array([127, -128, 126, 113], np.int8), (outputs, inputs))
    return full


def scales(random, outputs, per_channel, tie, inputs):
    size = outputs if per_channel else None
    if tie:
        x_scale = 2.0 ** -random.integers(2, 6)
        w_scale = 2.0 ** -random.integers(4, 7, size).astype(float)
        return x_scale, w_scale, float(x_scale * np.max(w_scale) * 2.0 ** random.integers(1, 9))
    x_scale = float(random.uniform(1e-3, 0.2))
    w_scale = random.uniform(1e-4, 0.05, size)
    spread = np.sqrt(inputs) * random.uniform(1, 400)
    return x_scale, w_scale, float(np.max(w_scale) * x_scale * spread)


def linear_case(random):
    inputs = int(random.choice(EDGES) if random.random() < 0.4 else random.integers(1, 131))
    outputs, rows = int(random.integers(1, 41)), int(random.choice([1, 1, 2, 5, 17]))
    per_channel, relu, bias, tie = random.random(4) < [0.5, 0.5, 0.7, 0.5]
    w = weights(random, outputs, inputs, tie)
    x = random.integers(0, 256, (rows, inputs)).astype(np.uint8)
    x |= np.uint8(128 if random.random() < 0.2 else 0)
    x_scale, w_scale, y_scale = scales(random, outputs, per_channel, tie, inputs)
    zero_points = [int(z) for z in random.integers(0, 256, 2)]
    unit = x_scale * w_scale
    b = (random.integers(-2000, 2000, outputs) * unit / 2).astype(np.float32)
    w_zp = 0
    if not per_channel and ENGINE != "onednn" and random.random() < 0.3:
        w_zp = int(random.integers(-5, 6))
    values = {
        "x_q": x, "x_scale": x_scale, "x_zp": zero_points[0], "w_q": w, "w_scale": w_scale,
        "w_zp": np.full(outputs, 0) if per_channel else w_zp,
        "y_scale": y_scale, "y_zp": zero_points[1], "qmin": 0, "qmax": 255,
    }  # fmt: skip
    return values | ({"b": b} if bias else {}), bool(relu)


def near_ties(random):
    """A layer whose outputs lie within a few float32 steps of a rounding tie.

    There the order of the float32 operations decides; random layers hardly ever tell.
    """
    inputs, outputs = int(random.integers(1, 17)), 64
    per_channel, relu, bias = random.random(3) < [0.5, 0.5, 0.6]
    w = random.integers(-60, 61, (outputs, inputs)).astype(np.int8)
    x = random.integers(0, 256, (1, inputs)).astype(np.uint8)
    x_zp, y_zp = (int(z) for z in random.integers(0, 256, 2))
    acc = (x.astype(np.int64) - x_zp) @ w.T.astype(np.int64)
    acc = np.where(acc == 0, 1, acc)[0]
    x_scale, y_scale = random.uniform(1e-3, 0.2), random.uniform(1e-2, 0.5)
    w_scale = random.uniform(1e-4, 0.05, outputs if per_channel else None)
    target = random.integers(0, 120, outputs) + 0.5
    values = {}
    if bias:
        target *= random.choice([-1, 1], outputs)
        wanted = target * y_scale - acc * x_scale * w_scale
        values["b"] = steps_away(random, wanted.astype(np.float32))
    elif per_channel:
        w_scale = steps_away(random, (target * y_scale / (x_scale * abs(acc))).astype(np.float32))
        w_scale = w_scale.astype(np.float64)
    else:
        y_scale = float(x_scale * w_scale * abs(acc[0]) / target[0])
    values |= {
        "x_q": x, "x_scale": x_scale, "x_zp": x_zp, "w_q": w, "w_scale": w_scale,
        "w_zp": np.full(outputs, 0) if per_channel else 0,
        "y_scale": y_scale, "y_zp": y_zp, "qmin": 0, "qmax": 255,
    }  # fmt: skip
    return values, bool(relu)


def steps_away(random, x):
    """Each value moved by up to three float32 steps."""
    moved = x.view(np.int32) + random.integers(-3, 4, x.shape).astype(np.int32)
    return moved.view(np.float32)


def torch_linear(values, relu):
    outputs, inputs = values["w_q"].shape
    w = torch.from_numpy(values["w_q"])
    if np.ndim(values["w_scale"]):
        scale, zero = torch.from_numpy(values["w_scale"]), torch.zeros(outputs, dtype=torch.int64)
        weight = torch._make_per_channel_quantized_tensor(w, scale, zero, 0)
    else:
        weight = torch._make_per_tensor_quantized_tensor(w, values["w_scale"], values["w_zp"])
    layer = (nniq.LinearReLU if relu else nnq.Linear)(inputs, outputs)
    layer.set_weight_bias(weight, torch.from_numpy(values["b"]) if "b" in values else None)
    layer.scale, layer.zero_point = values["y_scale"], values["y_zp"]
    x = torch.from_numpy(values["x_q"])
    fed = torch._make_per_tensor_quantized_tensor(x, values["x_scale"], values["x_zp"])
    return layer(fed).int_repr().numpy()


def compare_linear(random):
    values, relu = linear_case(random) if random.random() < 0.6 else near_ties(random)
    made = run(registry()["linear_relu" if relu else "linear"], values)["y_q"]
    captured = torch_linear(values, relu)
    return captured.size, int((made != captured).sum())


def compare_small(random):
    size = int(random.integers(1, 300))
    tie = random.random() < 0.5
    scale = float(2.0 ** -random.integers(0, 8) if tie else random.uniform(1e-4, 2))
    zero = int(random.integers(0, 256))
    x = (random.normal(0, 60, size) * scale).astype(np.float32)
    if tie:
        x = (random.integers(-300, 300, size) * scale / 2).astype(np.float32)
    elif random.random() < 0.7:
        target = random.integers(-5, 260, size) + 0.5 - zero
        x = steps_away(random, (target * scale).astype(np.float32))
    if random.random() < 0.1:
        x = (x * np.float32(1e8)).astype(np.float32)
    q = torch.quantize_per_tensor(torch.from_numpy(x), scale, zero, torch.quint8)
    y = {"y_scale": scale, "y_zp": zero, "qmin": 0, "qmax": 255}
    wrong = int((run(registry()["quantize"], y | {"x": x})["y_q"] != q.int_repr().numpy()).sum())
    given = {"x_q": q.int_repr().numpy(), "x_scale": scale, "x_zp": zero}
    back = run(registry()["dequantize"], given)["y"]
    wrong += int((back.view(np.int32) != q.dequantize().numpy().view(np.int32)).sum())
    relu = run(registry()["relu"], given)["y_q"]
    wrong += int((relu != torch.relu(q).int_repr().numpy()).sum())
    return 3 * size, wrong


arithmetic = ARITHMETICS[f"{ENGINE}-{LEVEL}"]
if FAULT != "none":
    arithmetic = FAULTS[FAULT](arithmetic)
random = np.random.default_rng(int(SEED))
counts = {"linear": [0, 0], "small": [0, 0]}
for _ in range(int(LAYERS)):
    for kind, comparison in (("linear", compare_linear), ("small", compare_small)):
        size, wrong = comparison(random)
        counts[kind][0] += size
        counts[kind][1] += wrong
sys.stdout.write(json.dumps(counts) + "\n")
