"""Pooling: any window, padding that counts or not, both orders of memory."""

from __future__ import annotations

from typing import Any

import torch

from qdbg.selftest.draw import ELEMENTS, Case, Draw

MAX: dict[int, Any] = {
    1: torch.nn.functional.max_pool1d,
    2: torch.nn.functional.max_pool2d,
    3: torch.nn.functional.max_pool3d,
}
ADAPTIVE: dict[int, Any] = {
    1: torch.nn.functional.adaptive_avg_pool1d,
    2: torch.nn.functional.adaptive_avg_pool2d,
    3: torch.nn.functional.adaptive_avg_pool3d,
}
AVG: dict[int, Any] = {2: torch.nn.functional.avg_pool2d, 3: torch.nn.functional.avg_pool3d}


def dtype_of(draw: Draw) -> str:
    """Mostly quint8."""
    return "qint8" if draw.chance(0.3) else "quint8"


def image(draw: Draw, axes: int, least: int = 1, most: int = ELEMENTS) -> torch.Tensor:
    """[N, C, …] in one of its orders of memory."""
    dtype = dtype_of(draw)
    channels = int(draw.choice([1, 3, 7, 8, 9, 16, 17, 24, 33]))
    if draw.size < 0.5:
        channels = draw.integer(1, 9)
    longest = {1: 30, 2: 9, 3: 4}[axes]
    sizes = [least + draw.integer(0, longest) for _ in range(axes)]
    shape = draw.lengthened((int(draw.choice([1, 1, 2, 3])), channels, *sizes), most=most)
    x = draw.quantized(shape, dtype)
    return x if axes == 1 else draw.laid_out(x)


def max_pool(draw: Draw, axes: int) -> Case | None:
    """With dilation and ceil_mode."""
    kernel = [int(draw.choice([1, 2, 3, 3, 5])) for _ in range(axes)]
    dilation = [int(draw.choice([1, 1, 1, 2])) for _ in range(axes)]
    extent = max(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    x = image(draw, axes, extent)
    padding = [draw.integer(0, k // 2) for k in kernel]
    stride = [int(draw.choice([1, 2, 3])) for _ in range(axes)]
    ceil = axes < 3 and draw.chance(0.2)
    return Case(lambda: MAX[axes](x, kernel, stride, padding, dilation, ceil))


def avg_pool(draw: Draw, axes: int) -> Case:
    """With padding that counts or not, a divisor of its own and ceil_mode."""
    kernel = [int(draw.choice([1, 2, 3, 3, 5])) for _ in range(axes)]
    x = image(draw, axes, max(kernel))
    padding = [draw.integer(0, k // 2) for k in kernel]
    stride = [int(draw.choice([1, 2, 3])) for _ in range(axes)]
    counts, divisor = draw.chance(0.6), draw.integer(1, 20) if draw.chance(0.2) else None
    ceil = draw.chance(0.2)
    if axes == 1:
        pool = torch.nn.functional.avg_pool1d
        return Case(lambda: pool(x, kernel, stride, padding, ceil, counts))
    return Case(lambda: AVG[axes](x, kernel, stride, padding, ceil, counts, divisor))


def adaptive_avg_pool(draw: Draw, axes: int) -> Case:
    """To one pixel, to parts that divide the image, and to others."""
    x = image(draw, axes)
    out = [int(draw.choice([1, 1, 2, 3, n])) for n in x.shape[2:]]
    return Case(lambda: ADAPTIVE[axes](x, out))


def reduced(draw: Draw) -> tuple[torch.Tensor, list[int]]:
    """A tensor and some of its axes: the last ones, or any in any order of memory, counted from
    either end."""
    x = image(draw, int(draw.choice([1, 2, 3])))
    if draw.chance(0.3 * draw.size):
        x = draw.quantized((40, 50, draw.integer(1, 12)), dtype_of(draw))
    if draw.chance(0.6):
        back = x.ndim if draw.chance(0.3) else 0
        return x, [axis - back for axis in range(draw.integer(1, x.ndim - 1), x.ndim)]
    some = draw.random.permutation(x.ndim)[: draw.integer(1, x.ndim - 1)]
    return x, some.tolist()


def mean(draw: Draw) -> Case:
    """Over some axes, kept or not."""
    (x, dims), keep = reduced(draw), draw.chance(0.5)
    return Case(lambda: x.mean(dims, keepdim=keep))


def std(draw: Draw) -> Case:
    """Over some axes, of all values or of a sample of them."""
    (x, dims), keep = reduced(draw), draw.chance(0.5)
    correction = draw.integer(0, 1)
    return Case(lambda: torch.std(x, dims, correction=correction, keepdim=keep))


CASES = {
    "adaptive_avg_pool1d": lambda draw: adaptive_avg_pool(draw, 1),
    "adaptive_avg_pool2d": lambda draw: adaptive_avg_pool(draw, 2),
    "adaptive_avg_pool3d": lambda draw: adaptive_avg_pool(draw, 3),
    "mean": mean,
    "std": std,
    "max_pool1d": lambda draw: max_pool(draw, 1),
    "max_pool2d": lambda draw: max_pool(draw, 2),
    "max_pool3d": lambda draw: max_pool(draw, 3),
    "avg_pool1d": lambda draw: avg_pool(draw, 1),
    "avg_pool2d": lambda draw: avg_pool(draw, 2),
    "avg_pool3d": lambda draw: avg_pool(draw, 3),
}
