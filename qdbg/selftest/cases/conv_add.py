"""Convolutions with a second image added, alone or with a fused ReLU: oneDNN only."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.ao.nn.intrinsic.quantized as nniq

from qdbg.selftest.cases._weighted import bias_near_ties, biases, output_scale, weights
from qdbg.selftest.cases.conv import channels_of, larger
from qdbg.selftest.cases.linear import finish
from qdbg.selftest.draw import Case, Draw


def conv2d_add(draw: Draw) -> Case | None:
    """One layer on one or two images; the added image has the shape of the result."""
    if draw.engine != "onednn":
        return None
    inputs, outputs, groups = channels_of(draw)
    kernel, stride, dilation = (
        tuple(int(draw.choice(options)) for _ in range(2))
        for options in ([1, 2, 3, 3, 5], [1, 1, 2, 3], [1, 1, 1, 2])
    )
    padding = tuple(draw.integer(0, k - 1) for k in kernel)
    sizes = [d * (k - 1) + 1 + draw.integer(0, 6) for k, d in zip(kernel, dilation, strict=True)]
    products = inputs // groups * int(np.prod(kernel))
    shape = larger(draw, (int(draw.choice([1, 2])), inputs, *sizes), outputs, products)
    x = draw.laid_out(draw.quantized(shape))
    made = weights(draw, (outputs, inputs // groups, *kernel))
    scale = output_scale(draw, x, made, products)
    centred = x.int_repr().double() - x.q_zero_point()
    w = torch.from_numpy(made.centred())
    acc = torch.nn.functional.conv2d(centred, w, None, stride, padding, dilation, groups)
    unit = scale if draw.chance(0.4) else scale * draw.scale(0.05, 3)
    other = draw.laid_out(draw.quantized(acc.shape, scale=unit))
    b = biases(draw, x, made) if draw.chance(0.7) else None
    if draw.chance(0.4):
        steps = other.dequantize().movedim(1, -1).numpy() / (x.q_scale() * made.scale)
        b = bias_near_ties(draw, acc.movedim(1, -1).numpy() + steps, x, made, scale)
    kind: Any = nniq.ConvAddReLU2d if draw.chance(0.5) else nniq.ConvAdd2d
    layer = kind(inputs, outputs, kernel, stride, padding, dilation, groups, b is not None)
    finish(draw, layer, made, b, scale)
    return Case(lambda: layer(x, other), {"layer": layer}, {"layer": (made.tensor, made.bias(b))})


CASES = {"conv2d_add": conv2d_add}
