"""Convolutions in one to three dimensions: stride, padding, dilation, groups, depthwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.ao.nn.intrinsic.quantized as nniq
import torch.ao.nn.quantized as nnq

from qdbg.ops._conv_kernel import MANY_GROUPS, overruns, too_small
from qdbg.selftest.cases._weighted import (
    Weights,
    biases,
    near_ties,
    near_ties_in_all,
    output_scale,
    weights,
)
from qdbg.selftest.cases.linear import finish, most_of
from qdbg.selftest.draw import MIDDLE, Case, Draw

LAYERS: dict[int, tuple[Any, Any]] = {
    1: (nnq.Conv1d, nniq.ConvReLU1d),
    2: (nnq.Conv2d, nniq.ConvReLU2d),
    3: (nnq.Conv3d, nniq.ConvReLU3d),
}
FLOAT = {
    1: torch.nn.functional.conv1d,
    2: torch.nn.functional.conv2d,
    3: torch.nn.functional.conv3d,
}


def channels_of(draw: Draw) -> tuple[int, int, int]:
    """Input channels, output channels, groups."""
    kind = draw.random.random()
    if kind < 0.3:
        groups = int(draw.choice([8, 16, 24, 3, 5, 32])) if draw.size > 0.5 else draw.integer(1, 8)
        return groups, groups * int(draw.choice([1, 1, 2, 3])), groups
    if kind < 0.5:
        groups = int(draw.choice([2, 3, 4]))
        return groups * draw.integer(1, 8), groups * draw.integer(1, 6), groups
    return draw.integer(1, 20), draw.integer(1, 20), 1


def kills(draw: Draw, layer: Any, sizes: list[int], made: Weights) -> bool:
    """Whether PyTorch would write beyond its buffers: what comes after would be worth nothing."""
    left = draw.level != "vnni" or made.zero_point or layer.groups > MANY_GROUPS
    fbgemm = draw.engine == "fbgemm" or (draw.engine == "x86" and left)
    names = ("groups", "kernel_size", "stride", "padding", "dilation")
    values = {name: np.asarray(getattr(layer, name)) for name in names}
    values |= {"x_channels": np.asarray(layer.in_channels), "w_q": np.empty(layer.out_channels)}
    values["x_size"] = np.asarray(sizes)
    return bool(fbgemm) and (overruns(draw.level, values) or too_small(values))


def larger(draw: Draw, shape: tuple[int, ...], outputs: int, products: int) -> tuple[int, ...]:
    """Images so many, or so long along one axis, that a large layer gives many results."""
    most = most_of(products) * shape[1] // outputs
    return draw.lengthened(shape, [0, *range(2, len(shape))], max(1, most))


def conv(draw: Draw, axes: int) -> Case | None:
    """One layer on one to three images."""
    if draw.size >= 1 and draw.chance(0.1):
        return near_ties_everywhere(draw, axes)
    inputs, outputs, groups = channels_of(draw)
    kernel = tuple(int(draw.choice([1, 2, 3, 3, 3, 5])) for _ in range(axes))
    if draw.chance(0.1):  # the shape of depthwise kernels of their own
        groups = inputs = outputs = draw.integer(1, 24)
        kernel = (3,) * axes
    elif draw.chance(0.5):
        kernel = (int(draw.choice([1, 3, 3, 5])),) * axes
    stride = tuple(int(draw.choice([1, 1, 2, 3])) for _ in range(axes))
    dilation = tuple(int(draw.choice([1, 1, 1, 2])) for _ in range(axes))
    padding = tuple((k - 1) // 2 if draw.chance(0.6) else draw.integer(0, k - 1) for k in kernel)
    if draw.chance(0.4):
        stride, dilation = (int(draw.choice([1, 2])),) * axes, (1,) * axes
        padding = tuple((k - 1) // 2 for k in kernel)
    mode = "reflect" if axes < 3 and draw.chance(0.1) else "zeros"
    most = {1: 30, 2: 6, 3: 3}[axes]
    sizes = [d * (k - 1) + 1 + draw.integer(0, most) for k, d in zip(kernel, dilation, strict=True)]
    if mode == "zeros" and draw.chance(0.1):  # an image smaller than the window
        sizes = [max(1, n - 2 * p) for n, p in zip(sizes, padding, strict=True)]
    images = 0 if mode == "zeros" and draw.chance(0.02) else int(draw.choice([1, 1, 2, 3]))
    per_output = inputs // groups * int(np.prod(kernel))
    x = draw.laid_out(draw.quantized(larger(draw, (images, inputs, *sizes), outputs, per_output)))
    made = weights(draw, (outputs, inputs // groups, *kernel))
    scale = output_scale(draw, x, made, per_output)
    b = biases(draw, x, made) if draw.chance(0.7) else None
    if mode == "zeros" and images and draw.chance(0.4):
        centred = x.int_repr().double() - x.q_zero_point()
        w = torch.from_numpy(made.centred())
        acc = FLOAT[axes](centred, w, None, stride, padding, dilation, groups)
        b, scale = near_ties(draw, acc.movedim(1, -1).numpy(), x, made, scale)
    plain, fused = LAYERS[axes]
    layer = (fused if draw.chance(0.5) else plain)(
        inputs, outputs, kernel, stride, padding, dilation, groups, b is not None, mode
    )
    if kills(draw, layer, sizes, made):
        return None
    finish(draw, layer, made, b, scale)
    return Case(lambda: layer(x), {"layer": layer}, {"layer": (made.tensor, made.bias(b))})


def near_ties_everywhere(draw: Draw, axes: int) -> Case:
    """A small image and many channels, each with a result within a few float32 steps of a rounding
    tie: there every order of the float32 operations shows, which elsewhere hardly ever does."""
    inputs, outputs, groups = draw.choice([(8, 64, 1), (64, 64, 64), (24, 48, 8)])
    kernel = (3,) * axes if axes == 3 or draw.chance(0.5) else (1,) * axes
    x = draw.quantized((1, inputs, *(k + 1 for k in kernel)), scale=draw.uneven_scale())
    q = draw.integers((outputs, inputs // groups, *kernel), "qint8")
    centred = x.int_repr().double() - x.q_zero_point()
    acc = FLOAT[axes](centred, torch.from_numpy(q).double(), None, 1, 0, 1, groups)
    made, b, scale = near_ties_in_all(draw, acc.movedim(1, -1).numpy(), x, q)
    layer = LAYERS[axes][0](inputs, outputs, kernel, 1, 0, 1, groups, b is not None)
    finish(draw, layer, made, b, scale)
    layer.zero_point = MIDDLE
    return Case(lambda: layer(x), {"layer": layer}, {"layer": (made.tensor, made.bias(b))})


CASES = {
    "conv1d": lambda draw: conv(draw, 1),
    "conv2d": lambda draw: conv(draw, 2),
    "conv3d": lambda draw: conv(draw, 3),
}
