"""Runs in a child process: layers made for the places where a library changes its kernel.

`kernels.py ENGINE LEVEL SEED`. Prints one JSON object. For QNNPACK: layers whose biases do not fit
into int32 and whose sums are 0, compared and differing. For oneDNN: small convolutions of groups,
by what the library says ran and what qdbg expects; and those whose result is known to be wrong.
"""

import json
import os
import sys
import tempfile
from collections import Counter

import numpy as np
import torch
import torch.ao.nn.quantized as nnq

from qdbg.capture import isa
from qdbg.core.program import Environment
from qdbg.engine.trace import Trace
from qdbg.selftest.check import record
from qdbg.selftest.draw import Case, per_channel, per_tensor
from tests.released import HERE

ENGINE, LEVEL, SEED = sys.argv[1:4]
SAID = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - oneDNN writes into it as long as this lives
os.dup2(SAID.fileno(), 1)

torch.set_num_threads(1)
torch.backends.quantized.engine = ENGINE
isa.force(LEVEL)

LAYERS = {0: nnq.Linear, 1: nnq.Conv1d, 2: nnq.Conv2d, 3: nnq.Conv3d}
TRANSPOSED = {1: nnq.ConvTranspose1d, 2: nnq.ConvTranspose2d, 3: nnq.ConvTranspose3d}
NAMES = {
    "conv:any": "onednn-conv-plain",
    "gemm": "onednn-conv-gemm",
    "ref": "onednn-conv-plain",
}
"""In the names of oneDNN's implementations; the others multiply the scales in turn, AVX2's
the scales with each other."""
OTHERS = "onednn-conv-avx2" if LEVEL == "avx2" else "onednn-conv"
random = np.random.default_rng(int(SEED))
environment = Environment(ENGINE, LEVEL, torch.__version__, "", "", unperturbed=True)


def draw(*options):
    return options[int(random.integers(len(options)))]


def layer(x, q, geometry, bias, *, result, groups):
    """A convolution, or a Linear without geometry, on x: the case and its channels."""
    axes = len(geometry[0]) if geometry else 0
    channels = (q.shape[1] * groups, q.shape[0])
    made = LAYERS[axes](*channels, *geometry, *((groups,) if axes else ()))
    scales = random.uniform(0.001, 0.01, len(q))
    weight = per_channel(q, scales) if draw(0, 1) else per_tensor(q, float(scales[0]), 0)
    given = (weight, torch.from_numpy(bias.astype(np.float32)))
    made.set_weight_bias(*given)
    made.scale, made.zero_point = result
    return Case(lambda: made(x), {"layer": made}, {"layer": given})


def traced(case, arithmetic=f"{ENGINE}-{LEVEL}"):
    return Trace(record(case, environment), HERE[arithmetic])


def large_biases():
    """Sums of 0, so that the bias alone decides: the largest int32, or the smallest."""
    axes = draw(0, 1, 2, 3)
    sizes = [draw(1, 1, 3) for _ in range(axes)]
    stride = [draw(1, 1, 2) for _ in range(axes)]
    groups, inputs, outputs = (draw(1, 1, 3, 8) if axes else 1), draw(1, 2, 9), draw(1, 4, 17)
    q = random.integers(-9, 9, (groups * outputs, inputs, *sizes)).astype(np.int8)
    image = np.full((2, groups * inputs, *(n + 2 for n in sizes)), 7, np.uint8)
    bias = random.choice([1e30, -1e30, np.inf, np.nan, 1e7], len(q))
    x = per_tensor(image, 0.01, 7)
    geometry = (sizes, stride, 0, 1) if axes else ()
    return layer(x, q, geometry, bias, result=(2.0**31 * 1e-6, 128), groups=groups)


def small_groups():
    """So little data that oneDNN's kernels ask for more memory than they allow themselves."""
    axes = draw(1, 1, 2, 2, 3)
    sizes = [draw(1, 2, 3, 5) for _ in range(axes)]
    dilation = [draw(1, 1, 1, 2) for _ in range(axes)]
    padding = [int(random.integers(0, n)) for n in sizes]
    most = {1: 20, 2: 3, 3: 2}[axes]
    image = [
        d * (n - 1) + 1 + int(random.integers(0, most))
        for n, d in zip(sizes, dilation, strict=True)
    ]
    stride = [draw(1, 2, 3) for _ in sizes]
    groups, inputs, outputs = draw(2, 3, 5), draw(1, 1, 1, 2), draw(1, 2, 3, 7)
    q = random.integers(-128, 128, (groups * outputs, inputs, *sizes)).astype(np.int8)
    pixels = random.integers(0, 256, (draw(1, 2), groups * inputs, *image)).astype(np.uint8)
    x = per_tensor(pixels, draw(0.02, 1.0), draw(0, 0, 100))
    geometry = (sizes, stride, padding, dilation)
    return layer(
        x, q, geometry, random.normal(0, 1, len(q)), result=(draw(0.3, 1.0), 37), groups=groups
    )


def transposed():
    """Strides, dilations and groups with which oneDNN's own kernels do not take the layer."""
    axes = draw(1, 2, 3)
    sizes = [draw(1, 2, 3, 4) for _ in range(axes)]
    stride = [int(random.integers(1, n + 1)) for n in sizes]
    dilation = [draw(1, 1, 1, 2) for _ in sizes]
    padding = [int(random.integers(0, (n + 1) // 2)) for n in sizes]
    groups = draw(1, 2, 3, 8)
    inputs = outputs = draw(1, 2, 3, 4, 8)
    image = [draw(2, 3, 5) for _ in sizes]
    q = random.integers(-128, 128, (groups * inputs, outputs, *sizes)).astype(np.int8)
    pixels = random.integers(0, 256, (2, groups * inputs, *image)).astype(np.uint8)
    channels = (groups * inputs, groups * outputs)
    made = TRANSPOSED[axes](*channels, sizes, stride, padding, 0, groups, True, dilation)
    given = (per_tensor(q, 0.003, 0), torch.randn(channels[1]))
    made.set_weight_bias(*given)
    made.scale, made.zero_point = 0.3, 37
    x = per_tensor(pixels, 0.02, draw(0, 100))
    return Case(lambda: made(x), {"layer": made}, {"layer": given})


def wrong(deep):
    """Single channels and several images' rows, which oneDNN puts together wrongly."""
    groups, outputs = draw(2, 3), draw(2, 3)
    sizes, image = ([3, 3, 3], [1, 9, 9]) if deep else ([3, 3], [9, 3])
    geometry = (sizes, 1, 1, 1) if deep else (sizes, [1, 3], 0, 1)
    q = random.integers(-128, 128, (groups * outputs, 1, *sizes)).astype(np.int8)
    pixels = random.integers(0, 256, (8, groups, *image)).astype(np.uint8)
    x = per_tensor(pixels, 0.02, 9)
    return layer(x, q, geometry, np.zeros(len(q)), result=(0.5, 128), groups=groups)


def said():
    """The name of the implementation that ran last."""
    SAID.flush()
    SAID.seek(0)
    ran = [line for line in SAID.read().decode().split("\n") if ",exec,cpu," in line]
    SAID.seek(0)
    SAID.truncate()
    return next(line for line in reversed(ran) if "convolution," in line).split(",")[6]


def qnnpack():
    comparisons = [traced(large_biases()).comparisons[0] for _ in range(400)]
    return {
        "refused": sum(c.status == "not simulated" for c in comparisons),
        "compared": sum(c.elements for c in comparisons),
        "differ": sum(c.differences for c in comparisons),
    }


def onednn():
    found, differ = Counter(), 0
    groups, others = (100, 200) if LEVEL == "avx2" else (500, 300)
    for make in (*[small_groups] * groups, *[transposed] * others):
        trace = traced(make())
        own = said()
        ran = next((way for name, way in NAMES.items() if name in own), OTHERS)
        (comparison,) = trace.comparisons
        refused = comparison.status == "not simulated"
        expected = comparison.reason if refused else trace.simulation(0).kernel.way_back
        found[f"{ran} / {expected}"] += 1
        differ += comparison.differences
    faults = []
    for deep in () if LEVEL == "avx2" else (True, False):  # what AVX-512 alone has wrong
        trace = traced(wrong(deep))
        by_hand = traced(wrong(deep), "textbook").comparisons[0]
        faults.append([trace.comparisons[0].reason, by_hand.differences, by_hand.max_delta])
    return {"found": found, "differ": differ, "faults": faults}


with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
    answer = qnnpack() if ENGINE == "qnnpack" else onednn()
sys.stdout.write(json.dumps(answer) + "\n")
