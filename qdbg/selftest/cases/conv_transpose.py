"""Transposed convolutions in one to three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.ao.nn.quantized as nnq

from qdbg.selftest.cases._weighted import Weights, biases, near_ties, output_scale, weights
from qdbg.selftest.cases.linear import finish, most_of
from qdbg.selftest.draw import MIDDLE, Case, Draw, per_tensor

LAYERS: dict[int, Any] = {1: nnq.ConvTranspose1d, 2: nnq.ConvTranspose2d, 3: nnq.ConvTranspose3d}
FLOAT: dict[int, Any] = {
    1: torch.nn.functional.conv_transpose1d,
    2: torch.nn.functional.conv_transpose2d,
    3: torch.nn.functional.conv_transpose3d,
}


def conv_transpose(draw: Draw, axes: int) -> Case | None:
    """One layer on one or two images; weights with one scale, as the engines take them."""
    groups = int(draw.choice([1, 1, 2, 3, 4]))
    inner = draw.integer(1, 9)
    inputs, outputs = groups * inner, groups * (inner if draw.chance(0.5) else draw.integer(1, 9))
    kernel = tuple(int(draw.choice([1, 2, 3, 3, 4])) for _ in range(axes))
    stride = tuple(int(draw.choice([1, 2, 2, 3])) for _ in range(axes))
    dilation = tuple(int(draw.choice([1, 1, 2])) for _ in range(axes))
    padding = tuple(draw.integer(0, k - 1) for k in kernel)
    extra = tuple(
        int(draw.random.integers(0, max(s, d))) for s, d in zip(stride, dilation, strict=True)
    )
    if draw.chance(0.5):
        extra = (0,) * axes
    if damages(draw, inputs, outputs, kernel):
        return None
    most = {1: 12, 2: 6, 3: 3}[axes]
    sizes = [draw.integer(1, most) for _ in range(axes)]
    out = [
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(sizes, stride, padding, dilation, kernel, extra, strict=True)
    ]
    if min(out) < 1:
        return None
    shape = (int(draw.choice([1, 2])), inputs, *sizes)
    most = most_of(inner * int(np.prod(kernel))) * inputs // outputs // int(np.prod(stride))
    x = draw.laid_out(
        draw.quantized(draw.lengthened(shape, [0, *range(2, axes + 2)], max(1, most)))
    )
    made = one_scale(draw, weights(draw, (inputs, outputs // groups, *kernel)))
    scale = output_scale(draw, x, made, inner * int(np.prod(kernel)))
    b = biases(draw, x, made, outputs) if draw.chance(0.7) else None
    if draw.size >= 1 and draw.chance(0.2):
        x, made = of_small_sums(draw, x.shape, made.q.shape)
        b, scale = None, draw.halves(x.q_scale() * float(made.scale))
    elif draw.chance(0.4):
        centred = x.int_repr().double() - x.q_zero_point()
        w = torch.from_numpy(made.centred())
        acc = FLOAT[axes](centred, w, None, stride, padding, extra, groups, dilation)
        if acc.numel():
            b, scale = near_ties(draw, acc.movedim(1, -1).numpy(), x, made, scale)
    layer = LAYERS[axes](
        inputs, outputs, kernel, stride, padding, extra, groups, b is not None, dilation
    )
    finish(draw, layer, made, b, scale)
    return Case(lambda: layer(x), {"layer": layer}, {"layer": (made.tensor, made.bias(b))})


def of_small_sums(
    draw: Draw, image: Sequence[int], weight: Sequence[int]
) -> tuple[torch.Tensor, Weights]:
    """Inputs and weights of few steps, so that the sums are small too, and uneven scales."""
    q = (MIDDLE + draw.random.integers(-3, 4, image)).astype(np.uint8)
    w = draw.random.integers(-2, 3, weight).astype(np.int8)
    one = draw.uneven_scale()
    return per_tensor(q, draw.uneven_scale(), MIDDLE), Weights(
        per_tensor(w, one, 0), w, np.array(one), 0
    )


def damages(draw: Draw, inputs: int, outputs: int, kernel: tuple[int, ...]) -> bool:
    """Whether PyTorch is known to go wrong there: what comes after would be worth nothing."""
    if draw.engine == "onednn" or (draw.engine == "x86" and draw.level == "vnni"):
        return False
    if draw.engine == "qnnpack" and len(kernel) == 3:
        return True
    return inputs % 8 == 0 and outputs % 8 == 0 and len(kernel) == 2 and kernel[0] == 2


def one_scale(draw: Draw, made: Weights) -> Weights:
    """The same integers with one scale for all."""
    if made.scale.ndim == 0:
        return made
    one = draw.scale(1e-4, 0.05)
    return Weights(per_tensor(made.q, one, 0), made.q, np.array(one), 0)


CASES = {
    "conv_transpose1d": lambda draw: conv_transpose(draw, 1),
    "conv_transpose2d": lambda draw: conv_transpose(draw, 2),
    "conv_transpose3d": lambda draw: conv_transpose(draw, 3),
}
