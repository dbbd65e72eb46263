"""Softmax: along any axis, few and many values, to its usual parameters and to others."""

from __future__ import annotations

import torch

from qdbg.selftest.draw import Case, Draw

LENGTHS = [1, 2, 3, 5, 7, 8, 9, 10, 15, 16, 17, 31, 64, 100, 257]


def softmax(draw: Draw) -> Case:
    """Mostly along the last axis, whose order of sums is known on AVX2."""
    dtype = "qint8" if draw.chance(0.25) else "quint8"
    size = int(draw.choice(LENGTHS)) if draw.size > 0.5 else draw.integer(1, 40)
    shape = [draw.integer(1, 4) for _ in range(draw.integer(0, 3))]
    dim = len(shape) if draw.chance(0.7) else draw.integer(0, len(shape))
    shape.insert(min(dim, len(shape)), size)
    dim = min(dim, len(shape) - 1)
    other = [each for each in range(len(shape)) if each != dim]
    long = draw.lengthened(shape, other, 4000) if other else tuple(shape)
    x = draw.quantized(long, dtype, draw.scale(1e-3, 0.3))
    x = draw.laid_out(x) if len(shape) > 1 else x
    scale, zero_point = 1 / 256, 0 if dtype == "quint8" else -128
    if draw.chance(0.3):
        scale, zero_point = draw.scale(1e-3, 0.05), draw.zero_point(dtype)
    backwards = draw.engine != "qnnpack" and draw.chance(0.5)  # which takes no axis from the end
    axis = dim - len(shape) if backwards else dim
    return Case(lambda: torch.ops.quantized.softmax(x, axis, scale, zero_point))


CASES = {"softmax": softmax}
