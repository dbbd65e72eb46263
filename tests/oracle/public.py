"""Runs in a child process: layers whose numbers people posted, through PyTorch and through qdbg.

Prints one JSON object: by thread PyTorch's integers and whether qdbg's are the same.
"""

import json
import sys

ENGINE, LEVEL = sys.argv[1:3]

import torch  # noqa: E402 - the level's environment variables are set by the parent
import torch.ao.nn.intrinsic.quantized as nniq  # noqa: E402
import torch.ao.nn.quantized as nnq  # noqa: E402

from qdbg.capture import isa  # noqa: E402

torch.set_num_threads(1)
torch.backends.quantized.engine = ENGINE
isa.force(LEVEL)

from qdbg.core.program import Environment  # noqa: E402
from qdbg.selftest.check import compared, record  # noqa: E402
from qdbg.selftest.draw import Case  # noqa: E402


def tensor(numbers, scale, zero_point, dtype):
    made = torch.tensor(numbers, dtype=torch.uint8 if dtype is torch.quint8 else torch.int8)
    return torch._make_per_tensor_quantized_tensor(made, scale, zero_point)


def case(layer, weight, fed, result, bias=None):
    layer.set_weight_bias(weight, bias)
    layer.scale, layer.zero_point = result
    return Case(lambda: layer(fed), {"layer": layer}, {"layer": (weight, bias)})


def sat_pair(first, second, kind):
    """pytorch#76390: two inputs of 255 with zero point 144, every scale 1."""
    shape = (1, 2, 1) if kind == "conv1d" else (1, 2)
    layer = nnq.Conv1d(2, 1, 1, bias=False) if kind == "conv1d" else nnq.Linear(2, 1, False)
    x = tensor([255, 255], 1.0, 144, torch.quint8).reshape(shape)
    w = tensor([first, second], 1.0, 0, torch.qint8).reshape(shape)
    return case(layer, w, x, (1.0, 0))


def unsigned(zero_point):
    """pytorch#56331: a sum of −2016, which a result without a zero point cannot hold."""
    x = tensor([[[[3, 9, 30], [14, 4, 22], [11, 7, 5]]]], 1.0, 0, torch.quint8)
    w = torch.tensor([[[[17, 21, -59], [-4, -10, -31], [2, -3, 59]]]], dtype=torch.int8)
    one, none = torch.ones(1, dtype=torch.double), torch.zeros(1, dtype=torch.int64)
    weight = torch._make_per_channel_quantized_tensor(w, one, none, 0)
    return case(nnq.Conv2d(1, 1, 3), weight, x, (32.0, zero_point), torch.zeros(1))


def lost_pair():
    """pytorch#44939: the image of the thread and the two weights whose pair is cut off,
    211·71 + 171·107 = 33278; the others are 0 here."""
    x = tensor([[[[42, 93, 209], [96, 211, 171], [200, 174, 38]]]], 0.25, 1, torch.quint8)
    w = tensor([[[[0, 0, 0], [0, 71, 107], [0, 0, 0]]]], 0.25, 0, torch.qint8)
    return case(nniq.ConvReLU2d(1, 1, 3, bias=False), w, x, (16.0, 0))


CASES = {
    "76390 Conv1d 113": lambda: sat_pair(113, 113, "conv1d"),
    "76390 Conv1d 114": lambda: sat_pair(114, 113, "conv1d"),
    "76390 Linear 113": lambda: sat_pair(113, 113, "linear"),
    "76390 Linear 114": lambda: sat_pair(114, 113, "linear"),
    "56331": lambda: unsigned(0),
    "56331 with zero point": lambda: unsigned(128),
    "44939": lost_pair,
}
environment = Environment(ENGINE, LEVEL, torch.__version__, "", "", unperturbed=True)
found = {}
for name, make in CASES.items():
    recording = record(make(), environment)
    ((_, comparison),) = compared(recording)
    found[name] = [
        recording.values[0].ravel().tolist(),
        comparison.status,
        comparison.differences,
    ]
sys.stdout.write(json.dumps(found) + "\n")
