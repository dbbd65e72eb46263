"""Functions of one tensor, element by element: every byte, every place in a vector block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from qdbg.selftest.draw import Case, Draw

SIZES = [1, 2, 63, 64, 65, 127, 128, 130, 255, 256, 257, 320, 1000]
Function = Callable[[torch.Tensor, float, int], Any]


def tensor(draw: Draw) -> torch.Tensor:
    """Flat, a table or an image, in one of its orders of memory; now and then empty."""
    dtype = "qint8" if draw.chance(0.3) else "quint8"
    kind = draw.random.random()
    if kind < 0.5:
        shape: tuple[int, ...] = (
            int(draw.choice(SIZES)) if draw.size > 0.5 else draw.integer(1, 70),
        )
    elif kind < 0.75:
        shape = (draw.integer(1, 9), draw.integer(1, 90))
    else:
        shape = (draw.integer(1, 3), draw.integer(1, 20), draw.integer(1, 8), draw.integer(1, 8))
    x = draw.quantized(draw.lengthened(shape), dtype, draw.scale(1e-3, 2))
    return x if len(shape) == 1 else draw.laid_out(x)


def unary(function: Function) -> Callable[[Draw], Case]:
    """A case of a function that takes the parameters of its result."""

    def make(draw: Draw) -> Case:
        x = tensor(draw)
        dtype = "qint8" if x.dtype == torch.qint8 else "quint8"
        scale, zero_point = draw.scale(1e-3, 2), draw.zero_point(dtype)
        return Case(lambda: function(x, scale, zero_point))

    return make


def leaky_relu(draw: Draw) -> Case:
    """With parameters of its own, or those of its input."""
    x = tensor(draw)
    dtype = "qint8" if x.dtype == torch.qint8 else "quint8"
    slope = float(draw.choice([0.01, 0.1, 0.25, 0.5, 1.5, -0.5]))
    scale, zero_point = draw.scale(1e-3, 2), draw.zero_point(dtype)
    if draw.chance(0.3):
        return Case(lambda: torch.nn.functional.leaky_relu(x, slope))
    if draw.chance(0.3):
        scale = draw.halves(x.q_scale() * abs(slope))
    return Case(lambda: torch.ops.quantized.leaky_relu(x, slope, False, scale, zero_point))


def elu(draw: Draw) -> Case:
    """With any alpha."""
    x = tensor(draw)
    dtype = "qint8" if x.dtype == torch.qint8 else "quint8"
    alpha = float(draw.choice([1.0, 1.0, 0.5, 2.0, 1.3]))
    scale, zero_point = draw.scale(1e-3, 2), draw.zero_point(dtype)
    return Case(lambda: torch.ops.quantized.elu(x, scale, zero_point, alpha))


def celu(draw: Draw) -> Case:
    """With any alpha."""
    x = tensor(draw)
    dtype = "qint8" if x.dtype == torch.qint8 else "quint8"
    alpha = float(draw.choice([1.0, 1.0, 0.5, 2.0, 1.3]))
    scale, zero_point = draw.scale(1e-3, 2), draw.zero_point(dtype)
    return Case(lambda: torch.ops.quantized.celu(x, scale, zero_point, alpha))


def clamp(draw: Draw) -> Case:
    """Bounds on ties, beyond the range, and only one of them."""
    x = tensor(draw)
    low, high = sorted((draw.random.integers(-300, 300, 2) * x.q_scale() / 2).tolist())
    kind = draw.choice(["both", "low", "high", "hardtanh", "relu6", "module"])
    functions: dict[str, Callable[[], Any]] = {
        "both": lambda: x.clamp(low, high),
        "low": lambda: x.clamp(min=low),
        "high": lambda: x.clamp(max=high),
        "hardtanh": lambda: torch.nn.functional.hardtanh(x, low, high),
        "relu6": lambda: torch.nn.functional.relu6(x),
        "module": lambda: torch.ops.quantized.relu6(x),
    }
    return Case(functions[kind])


def prelu(draw: Draw) -> Case:
    """One slope, or one for each channel."""
    x = tensor(draw)
    dtype = "qint8" if x.dtype == torch.qint8 else "quint8"
    slopes = x.shape[1] if x.ndim > 1 and draw.chance(0.7) else 1
    w = draw.quantized((slopes,), dtype, draw.scale(1e-3, 0.5))
    scale, zero_point = draw.scale(1e-3, 2), draw.zero_point(dtype)
    return Case(lambda: torch.ops.quantized.prelu(x, w, scale, zero_point))


def sigmoid(draw: Draw) -> Case:
    """With the fixed parameters of the function, or own ones."""
    x = tensor(draw)
    dtype = "qint8" if x.dtype == torch.qint8 else "quint8"
    scale, zero_point = draw.scale(1e-3, 0.1), draw.zero_point(dtype)
    if draw.chance(0.4):
        return Case(lambda: torch.sigmoid(x))
    if draw.chance(0.3):
        scale, zero_point = 1 / 256, 0
    return Case(lambda: torch.ops.quantized.sigmoid(x, scale, zero_point))


CASES = {
    "celu": celu,
    "clamp": clamp,
    "elu": elu,
    "hardsigmoid": unary(lambda x, scale, zero_point: torch.nn.functional.hardsigmoid(x)),
    "hardswish": unary(torch.ops.quantized.hardswish),
    "leaky_relu": leaky_relu,
    "prelu": prelu,
    "relu": unary(lambda x, scale, zero_point: torch.relu(x)),
    "sigmoid": sigmoid,
    "tanh": unary(lambda x, scale, zero_point: torch.tanh(x)),
}
