"""Linear with a fused LeakyReLU or Tanh: oneDNN only."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.ao.nn.intrinsic.quantized as nniq

from qdbg.selftest.cases._weighted import bias_near_ties, biases, output_scale, weights
from qdbg.selftest.cases.linear import EDGES, finish, most_of
from qdbg.selftest.draw import Case, Draw

SLOPES = [0.01, 0.2, 0.25, 0.5, 1.0, 0.0, -0.5, 2.0]


def fused(draw: Draw, kind: str) -> Case | None:
    """One layer on a few rows."""
    if draw.engine != "onednn":
        return None
    width = int(draw.choice(EDGES)) if draw.chance(0.4 * draw.size) else draw.integer(1, 130)
    outputs, rows = draw.integer(1, 40), int(draw.choice([1, 1, 2, 5, 17]))
    rows = draw.lengthened((rows, outputs), [0], most_of(width))[0]
    x = draw.quantized((rows, width))
    made = weights(draw, (outputs, width))
    scale = output_scale(draw, x, made, width)
    b = biases(draw, x, made) if draw.chance(0.7) else None
    if draw.chance(0.4):
        centred = x.int_repr().numpy().astype(np.float64) - x.q_zero_point()
        b = bias_near_ties(draw, centred @ made.centred().reshape(outputs, -1).T, x, made, scale)
    kinds: Any = nniq
    if kind == "tanh":
        layer, scale = kinds.LinearTanh(width, outputs), draw.scale(2**-9, 0.1)
    else:
        slope = draw.choice([*SLOPES, float(draw.random.uniform(0, 1))])
        layer = kinds.LinearLeakyReLU(width, outputs, slope)
    finish(draw, layer, made, b, scale)
    return Case(lambda: layer(x), {"layer": layer})


CASES = {
    "linear_leaky_relu": lambda draw: fused(draw, "leaky relu"),
    "linear_tanh": lambda draw: fused(draw, "tanh"),
}
