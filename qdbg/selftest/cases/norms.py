"""Normalizations."""

from __future__ import annotations

import torch

from qdbg.selftest.cases.pools import image
from qdbg.selftest.draw import Case, Draw


def batch_norm(draw: Draw, axes: int) -> Case:
    """With any statistics, now and then a tiny variance."""
    x = image(draw, axes)
    channels, dtype = x.shape[1], "qint8" if x.dtype == torch.qint8 else "quint8"
    weight, bias = draw.floats((channels,)), draw.floats((channels,))
    mean, var = draw.floats((channels,)), draw.floats((channels,)) ** 2
    if draw.tie:
        weight, bias = (weight * 4).round() / 4, (bias * 8).round() / 8
        mean, var = mean * 0, torch.ones(channels) - 1e-5
    scale, zero_point = draw.scale(1e-3, 1), draw.zero_point(dtype)
    plain = torch.ops.quantized.batch_norm2d, torch.ops.quantized.batch_norm3d
    fused = torch.ops.quantized.batch_norm2d_relu, torch.ops.quantized.batch_norm3d_relu
    call = (fused if draw.chance(0.4) else plain)[axes - 2]
    return Case(lambda: call(x, weight, bias, mean, var, 1e-5, scale, zero_point))


CASES = {
    "batch_norm2d": lambda draw: batch_norm(draw, 2),
    "batch_norm3d": lambda draw: batch_norm(draw, 3),
}
