"""Normalizations: any statistics, ties, tiny variances, with and without weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.ao.nn.intrinsic.quantized as nniq
import torch.ao.nn.quantized as nnq

from qdbg.ops.group_norm import FLOATS
from qdbg.selftest.cases.pools import image
from qdbg.selftest.draw import Case, Draw

WIDTHS = [1, 2, 7, 31, 32, 33, 63, 64, 65, 96, 127, 128, 130]
BATCH: dict[int, tuple[Any, ...]] = {
    1: (torch.ops.quantized.batch_norm1d, torch.ops.quantized.batch_norm1d_relu),
    2: (torch.ops.quantized.batch_norm2d, torch.ops.quantized.batch_norm2d_relu),
    3: (torch.ops.quantized.batch_norm3d, torch.ops.quantized.batch_norm3d_relu),
}
LAYERS: dict[int, tuple[Any, Any]] = {
    2: (nnq.BatchNorm2d, nniq.BNReLU2d),
    3: (nnq.BatchNorm3d, nniq.BNReLU3d),
}


def dtype_of(x: torch.Tensor) -> str:
    """As qdbg spells it."""
    return str(x.dtype).removeprefix("torch.")


def batch_norm(draw: Draw, axes: int) -> Case:
    """With any statistics, now and then a tiny variance; a call or a module."""
    x = image(draw, axes)
    channels = x.shape[1]
    weight, bias = draw.floats((channels,)), draw.floats((channels,))
    mean, var = draw.floats((channels,)), draw.floats((channels,)) ** 2
    if draw.tie:
        weight, bias = (weight * 4).round() / 4, (bias * 8).round() / 8
        mean, var = mean * 0, torch.ones(channels) - 1e-5
    scale, zero_point = draw.scale(1e-3, 1), draw.zero_point(dtype_of(x))
    fused = draw.chance(0.4)
    if axes in LAYERS and draw.chance(0.3):
        layer = LAYERS[axes][fused](channels)
        layer.weight, layer.bias = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
        layer.running_mean, layer.running_var = mean, var
        layer.scale, layer.zero_point = torch.tensor(scale), torch.tensor(zero_point)
        return Case(lambda: layer(x), {"layer": layer})
    if draw.chance(0.5):
        bias = near_ties(draw, x, (weight, bias, mean, var), scale)
    call = BATCH[axes][fused]
    return Case(lambda: call(x, weight, bias, mean, var, 1e-5, scale, zero_point))


def near_ties(
    draw: Draw, x: torch.Tensor, numbers: tuple[torch.Tensor, ...], scale: float
) -> torch.Tensor:
    """The bias moved so that one value of each channel lands within steps of a tie."""
    weight, bias, mean, var = (t.double().numpy() for t in numbers)
    real = x.int_repr().movedim(1, 0).reshape(x.shape[1], -1)[:, 0].double().numpy()
    real = (real - x.q_zero_point()) * x.q_scale()
    found = ((real - mean) / np.sqrt(var + 1e-5) * weight + bias) / scale
    moved = bias + (np.floor(found) + 0.5 - found) * scale
    return torch.from_numpy(draw.steps_away(moved))


def affine(draw: Draw, shape: list[int]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Weight and bias, round numbers in tie-rich draws; now and then none."""
    if draw.chance(0.15):
        return None, None
    weight, bias = draw.floats(shape), draw.floats(shape)
    if draw.tie:
        weight, bias = (weight * 2).round() / 2, (bias * 4).round() / 4
    return weight, bias


def two_values(draw: Draw, x: torch.Tensor) -> torch.Tensor:
    """In half of the draws only two integers, which often gives a deviation without a fraction."""
    if draw.chance(0.5):
        return x
    q = x.int_repr()
    low, high = int(q.min()), int(q.max())
    made = torch.where(q > (low + high) // 2, high, low).to(q.dtype)
    return draw.laid_out(
        torch._make_per_tensor_quantized_tensor(made, x.q_scale(), x.q_zero_point())
    )


def eps_of(draw: Draw) -> float:
    """The usual ones, and none."""
    return float(draw.choice([1e-5, 1e-5, 1e-6, 1e-3, 0.1, 0.0]))


def layer_norm(draw: Draw) -> Case:
    """Over the last axis or the last two."""
    width = int(draw.choice(WIDTHS)) if draw.size > 0.5 else draw.integer(1, 40)
    shape = list(draw.lengthened((draw.integer(1, 6), draw.integer(1, 4), width), [0, 1]))
    kind = "qint8" if draw.chance(0.3) else "quint8"
    x = two_values(draw, draw.laid_out(draw.quantized(shape, kind)))
    over = shape[draw.integer(1, 2) :]
    weight, bias = affine(draw, over)
    eps, scale, zero_point = eps_of(draw), draw.scale(1e-3, 1), draw.zero_point(kind)
    if weight is not None and bias is not None and draw.chance(0.3):
        given = torch.nn.Parameter(weight), torch.nn.Parameter(bias)
        layer = nnq.LayerNorm(over, *given, scale, zero_point, eps)
        return Case(lambda: layer(x), {"layer": layer})
    call = torch.ops.quantized.layer_norm
    return Case(lambda: call(x, over, weight, bias, eps, scale, zero_point))


def near_ties_of_groups(
    draw: Draw, x: torch.Tensor, groups: int, weight: torch.Tensor, eps: float, scale: float
) -> torch.Tensor:
    """float32 [C]: a bias that brings a result of each channel within steps of a tie."""
    normal = torch.group_norm(x.dequantize().double(), groups, weight.double(), None, eps)
    rows = normal.movedim(1, -1).reshape(-1, len(weight)).numpy()
    channels = np.arange(len(weight))
    chosen = rows[draw.random.integers(len(rows), size=len(channels)), channels]
    target = (draw.random.integers(-100, 100, len(channels)) + 0.5) * scale
    return torch.from_numpy(draw.steps_away(np.nan_to_num(target - chosen, posinf=0, neginf=0)))


def group_norm(draw: Draw, axes: int) -> Case:
    """Groups of any size."""
    kind = "qint8" if draw.chance(0.3) else "quint8"
    groups = int(draw.choice([1, 2, 3, 4, 8])) if draw.size > 0.5 else draw.integer(1, 3)
    channels = groups * int(draw.choice([1, 2, 5, 8, 16, 32]) if draw.size > 0.5 else 2)
    sizes = [draw.integer(1, 3), channels, *(draw.integer(1, 8) for _ in range(axes))]
    shape = draw.lengthened(sizes, range(2, axes + 2))
    x = draw.quantized(shape, kind)
    x = two_values(draw, draw.laid_out(x) if np.prod(shape[2:]) < FLOATS else x)
    weight, bias = affine(draw, [channels])
    eps, scale, instance = eps_of(draw), draw.scale(1e-3, 1), draw.chance(0.4)
    if weight is not None and draw.chance(0.4):
        bias = near_ties_of_groups(draw, x, channels if instance else groups, weight, eps, scale)
    rest = (weight, bias, eps, scale, draw.zero_point(kind))
    if instance:
        return Case(lambda: torch.ops.quantized.instance_norm(x, *rest))
    return Case(lambda: torch.ops.quantized.group_norm(x, groups, *rest))


CASES = {
    "batch_norm1d": lambda draw: batch_norm(draw, 1),
    "batch_norm2d": lambda draw: batch_norm(draw, 2),
    "batch_norm3d": lambda draw: batch_norm(draw, 3),
    "layer_norm": layer_norm,
    "group_norm1d": lambda draw: group_norm(draw, 1),
    "group_norm2d": lambda draw: group_norm(draw, 2),
    "group_norm3d": lambda draw: group_norm(draw, 3),
}
