"""Arithmetic of two tensors or of a tensor and a number, and tensors put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.ao.nn.quantized as nnq

from qdbg.selftest.draw import Case, Draw, per_tensor

SIZES = [1, 2, 63, 64, 65, 127, 128, 130, 255, 256, 257, 320, 1000]
FUNCTIONAL: Any = torch.ops.quantized


def shape_of(draw: Draw) -> tuple[int, ...]:
    """Flat, a table or an image, around the sizes of vector blocks."""
    kind = draw.random.random()
    if kind < 0.4:
        return (int(draw.choice(SIZES)) if draw.size > 0.5 else draw.integer(1, 70),)
    if kind < 0.65:
        return (draw.integer(1, 9), draw.integer(1, 150))
    return (draw.integer(1, 3), draw.integer(1, 20), draw.integer(1, 12), draw.integer(1, 12))


def dtype_of(draw: Draw) -> str:
    """One of the two types of bytes."""
    return "qint8" if draw.chance(0.3) else "quint8"


def repeated(draw: Draw, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to `shape`: without some leading axes, some axes 1 long."""
    kept = shape[draw.integer(0, len(shape)) :] if draw.chance(0.5) else shape
    return tuple(1 if draw.chance(0.4) else n for n in kept)


def pair(draw: Draw) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Two operands and their type; now and then one of them is broadcast, strided or huge."""
    dtype, shape = dtype_of(draw), shape_of(draw)
    if draw.chance(0.1):
        shape = (draw.integer(1, 3), 7 * 64 + draw.integer(0, 64), draw.integer(1, 30))
    other = repeated(draw, shape) if draw.chance(0.3) else shape
    shapes = [shape, other] if draw.chance(0.6) else [other, shape]
    a, b = (draw.quantized(s, dtype, draw.scale(1e-3, 2)) for s in shapes)
    if draw.chance(0.3):  # QNNPACK wants its ratios within some 20 binary places
        b = per_tensor(b.int_repr().numpy(), a.q_scale() * near_one(draw), b.q_zero_point())
    return strided(draw, a), strided(draw, b), dtype


def near_one(draw: Draw) -> float:
    """A ratio of scales."""
    return float(2.0 ** draw.integer(-3, 3) if draw.tie else draw.random.uniform(0.2, 5))


def strided(draw: Draw, x: torch.Tensor) -> torch.Tensor:
    """The tensor as it is, in another order of memory, or as every second row or column."""
    if x.ndim == 0 or draw.chance(0.4):
        return x
    if draw.chance(0.6):
        return draw.laid_out(x)
    axis = draw.integer(0, x.ndim - 1)
    return torch.cat([x, x], axis).narrow(axis, 0, x.shape[axis])


def parameters(draw: Draw, unit: float, dtype: str) -> tuple[float, int]:
    """A scale of the result around `unit`, and a zero point."""
    if draw.chance(0.15):
        return draw.scale(1e-4, 50), draw.zero_point(dtype)
    if draw.tie:
        return float(2.0 ** (round(np.log2(unit)) + draw.integer(-2, 8))), draw.zero_point(dtype)
    return float(unit * np.exp(draw.random.uniform(-1, 4))), draw.zero_point(dtype)


def module(scale: float, zero_point: int) -> Any:
    """QFunctional with these parameters."""
    made: Any = nnq.QFunctional()
    made.scale, made.zero_point = scale, zero_point
    return made


def adding(name: str) -> Callable[[Draw], Case]:
    """A case of add or add_relu."""

    def make(draw: Draw) -> Case:
        a, b, dtype = pair(draw)
        scale, zero_point = parameters(draw, max(a.q_scale(), b.q_scale()), dtype)
        if draw.chance(0.5):
            held = module(scale, zero_point)
            return Case(lambda: getattr(held, name)(a, b), {"f": held})
        return Case(lambda: getattr(FUNCTIONAL, name)(a, b, scale, zero_point))

    return make


def multiplying(name: str) -> Callable[[Draw], Case]:
    """A case of mul or mul_relu; some products lie beyond int32."""

    def make(draw: Draw) -> Case:
        a, b, dtype = pair(draw)
        if draw.chance(0.05):
            a = per_tensor(a.int_repr().numpy(), draw.scale(1e3, 1e6), a.q_zero_point())
        unit = a.q_scale() * b.q_scale()
        scale, zero_point = parameters(draw, unit, dtype)
        if draw.chance(0.1):
            scale = unit / 2.0 ** draw.integer(10, 22)
        return Case(lambda: getattr(FUNCTIONAL, name)(a, b, scale, zero_point))

    return make


CASES = {
    "add": adding("add"),
    "add_relu": adding("add_relu"),
    "mul": multiplying("mul"),
    "mul_relu": multiplying("mul_relu"),
}
