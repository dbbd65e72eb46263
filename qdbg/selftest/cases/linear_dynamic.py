"""Dynamic Linear: inputs whose range is one-sided, tiny, huge, or ends on ties."""

from __future__ import annotations

import numpy as np
import torch

from qdbg.core.quantity import Array
from qdbg.selftest.cases._weighted import Weights, weights
from qdbg.selftest.cases.linear import most_of
from qdbg.selftest.draw import Case, Draw


def inputs(draw: Draw, rows: int, width: int) -> Array:
    """float32 [rows, width]."""
    kind = draw.random.random()
    spread = draw.scale(1e-3, 100)
    x = draw.random.normal(draw.choice([0, 0, 3, -3]), 1, (rows, width)) * spread
    if kind < 0.3:
        low = -int(draw.random.integers(0, 256))
        x = draw.random.integers(2 * low, 2 * (low + 255) + 1, (rows, width)) / 2.0 * 2.0**-4
        x.reshape(-1)[:2] = np.array([low, low + 255])[: x.size] * 2.0**-4
    elif kind < 0.4:
        x = x * 1e-6
    elif kind < 0.45:
        x = x * 0
    elif kind < 0.5:
        x = np.abs(x)
    return x.astype(np.float32)


def linear_dynamic(draw: Draw) -> Case | None:
    """One call on a few rows."""
    width, outputs = draw.integer(1, 130), draw.integer(1, 40)
    if draw.chance(0.1 * draw.size):
        width = int(draw.choice([256, 257, 261, 513, 768, 769]))
    made: Weights = weights(draw, (outputs, width))
    b = draw.random.normal(0, 5, outputs).astype(np.float32) if draw.chance(0.7) else None
    packed = torch.ops.quantized.linear_prepack(made.tensor, made.bias(b))
    rows = int(draw.choice([1, 1, 2, 7, 30]))
    rows = draw.lengthened((rows, outputs), [0], most_of(width))[0]
    x = torch.from_numpy(inputs(draw, rows, width))
    relu, reduced = draw.chance(0.4), draw.chance(0.6)
    call = torch.ops.quantized.linear_relu_dynamic if relu else torch.ops.quantized.linear_dynamic
    return Case(lambda: call(x, packed, reduced))


CASES = {"linear_dynamic": linear_dynamic}
