"""Linear layers: any width, both kinds of scales, ties, saturating pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.ao.nn.intrinsic.quantized as nniq
import torch.ao.nn.quantized as nnq

from qdbg.core.quantity import Array
from qdbg.selftest.cases._weighted import (
    Weights,
    biases,
    near_ties,
    near_ties_in_all,
    output_scale,
    weights,
)
from qdbg.selftest.draw import ELEMENTS, MIDDLE, Case, Draw

EDGES = [1, 2, 3, 4, 5, 7, 8, 31, 33, 64, 65, 130, 256, 257, 258, 261, 262, 513, 514, 768, 769]
PRODUCTS = 2 * 10**6
"""How many products a large layer multiplies at most."""


def linear(draw: Draw) -> Case:
    """One layer on a few rows."""
    if draw.size >= 1 and draw.chance(0.1):
        return near_ties_everywhere(draw)
    width = int(draw.choice(EDGES)) if draw.chance(0.4 * draw.size) else draw.integer(1, 130)
    outputs, rows = draw.integer(1, 40), int(draw.choice([1, 1, 2, 5, 17, 64]))
    rows = draw.lengthened((rows, outputs), [0], most_of(width))[0]
    shape = [0 if draw.chance(0.02) else rows, width]
    x = draw.laid_out(draw.quantized([2, *shape] if draw.chance(0.1) else shape))
    made = weights(draw, (outputs, width))
    scale = output_scale(draw, x, made, width)
    b: Array | None = biases(draw, x, made) if draw.chance(0.7) else None
    if draw.chance(0.4) and x.numel():
        centred = x.int_repr().numpy().astype(np.float64) - x.q_zero_point()
        acc = centred @ made.centred().reshape(outputs, -1).T
        b, scale = near_ties(draw, acc, x, made, scale)
    relu = draw.chance(0.5)
    kind: Any = nniq.LinearReLU if relu else nnq.Linear
    layer = kind(width, outputs)
    finish(draw, layer, made, b, scale)
    if draw.chance(0.1):  # packed weights that are no layer's
        packed = layer._packed_params._packed_params
        call = torch.ops.quantized.linear_relu if relu else torch.ops.quantized.linear
        return Case(lambda: call(x, packed, layer.scale, layer.zero_point))
    return Case(lambda: layer(x), {"layer": layer})


def near_ties_everywhere(draw: Draw) -> Case:
    """A row and many outputs, each within a few float32 steps of a rounding tie: there every order
    of the float32 operations shows, which elsewhere hardly ever does."""
    width, outputs = draw.integer(2, 40), 64
    x = draw.quantized((1, width), scale=draw.uneven_scale())
    q = draw.integers((outputs, width), "qint8")
    acc = (x.int_repr().numpy().astype(np.float64) - x.q_zero_point()) @ q.T.astype(np.float64)
    made, b, scale = near_ties_in_all(draw, acc, x, q)
    kind: Any = nnq.Linear
    layer = kind(width, outputs)
    finish(draw, layer, made, b, scale)
    layer.zero_point = MIDDLE
    return Case(lambda: layer(x), {"layer": layer})


def most_of(products: int) -> int:
    """How many results a large layer has whose results each sum so many products."""
    return min(ELEMENTS, PRODUCTS // max(1, products))


def finish(draw: Draw, layer: Any, made: Weights, b: Array | None, scale: float) -> None:
    """Pack the weights and give the layer its output's parameters."""
    layer.set_weight_bias(made.tensor, made.bias(b))
    layer.scale, layer.zero_point = scale, draw.zero_point()


CASES = {"linear": linear}
