"""Between real values and integers: one scale, a scale per channel, ties and values far outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.ao.nn.quantized as nnq

from qdbg.core.quantity import Array
from qdbg.selftest.draw import Case, Draw, per_tensor

quantizer: Any = nnq.Quantize
TYPES = {"quint8": torch.quint8, "qint8": torch.qint8, "qint32": torch.qint32}
SIZES = [1, 2, 31, 32, 33, 63, 64, 65, 127, 130, 1000]


def values(draw: Draw, scale: float, zero_point: int, shape: tuple[int, ...]) -> Array:
    """float32: near ties, at random, or far outside; now and then an infinity or NaN."""
    kind = draw.random.random()
    if kind < 0.6:
        steps = draw.random.integers(-300, 300, shape) + 0.5 - (zero_point % 2 if kind < 0.3 else 0)
        x = (steps * scale).astype(np.float32)
        if draw.chance(0.7):
            x = draw.steps_away(x)
    else:
        x = draw.floats(shape, scale * 100).numpy()
    if draw.chance(0.1):
        x = (x * 10.0 ** draw.random.integers(-8, 20, shape)).astype(np.float32)
    if draw.chance(0.05):
        x.reshape(-1)[draw.random.integers(x.size)] = draw.choice([np.inf, -np.inf, np.nan])
    return x


def shape_of(draw: Draw) -> tuple[int, ...]:
    """Flat, a table or an image."""
    kind = draw.random.random()
    shape: tuple[int, ...] = (
        draw.integer(1, 3),
        draw.integer(1, 12),
        draw.integer(1, 8),
        draw.integer(1, 8),
    )
    if kind < 0.5:
        shape = (int(draw.choice(SIZES)),)
    elif kind < 0.75:
        shape = (draw.integer(1, 9), draw.integer(1, 90))
    return draw.lengthened(shape)


def zero_point_of(draw: Draw, dtype: str) -> int:
    """Anywhere; of 32 bits also far from 0."""
    if dtype == "qint32":
        return int(draw.random.integers(-1000, 1000) * draw.choice([1, 1, 10**5]))
    return draw.zero_point(dtype)


def quantize(draw: Draw) -> Case:
    """By a layer, by the function, or by one with the parameters in tensors."""
    dtype = str(draw.choice(["quint8", "quint8", "qint8", "qint32"]))
    scale, zero_point = draw.scale(1e-4, 5), zero_point_of(draw, dtype)
    x = torch.from_numpy(values(draw, scale, zero_point, shape_of(draw)))
    x = draw.laid_out(x)
    if draw.chance(0.3):
        layer = quantizer(scale, zero_point, TYPES[dtype])
        return Case(lambda: layer(x), {"layer": layer})
    if draw.chance(0.2):
        held = torch.tensor(scale), torch.tensor(zero_point)
        return Case(lambda: torch.quantize_per_tensor(x, *held, TYPES[dtype]))
    return Case(lambda: torch.quantize_per_tensor(x, scale, zero_point, TYPES[dtype]))


def channels(draw: Draw, dtype: str) -> tuple[tuple[int, ...], int, Array, Array]:
    """A shape, one of its axes, and along it the scales and zero points."""
    shape = shape_of(draw)
    axis = int(draw.random.integers(len(shape)))
    size = shape[axis]
    few = [(draw.scale(1e-4, 5), zero_point_of(draw, dtype)) for _ in range(min(size, 40))]
    scale, zero_points = (np.resize(np.array(each), size) for each in zip(*few, strict=True))
    return shape, axis, scale, zero_points


def quantize_per_channel(draw: Draw) -> Case:
    """Along any axis."""
    dtype = str(draw.choice(list(TYPES)))
    shape, axis, scale, zero_points = channels(draw, dtype)
    x = torch.from_numpy(values(draw, float(scale[0]), int(zero_points[0]), shape))
    given = torch.from_numpy(scale), torch.from_numpy(zero_points)
    x = draw.laid_out(x) if axis < 2 else x
    return Case(lambda: torch.quantize_per_channel(x, *given, axis, TYPES[dtype]))


def near_own_ties(draw: Draw, shape: tuple[int, ...], steps: int) -> Array:
    """float32 values whose range is so many steps of a scale, most of them half-way between two."""
    scale, below = draw.uneven_scale(1e-3, 100), draw.integer(0, steps)
    x = draw.steps_away((draw.random.integers(0, steps, shape) - below + 0.5) * scale)
    x.reshape(-1)[:2] = np.array([-below * scale, (steps - below) * scale])[: x.size]
    return x


def quantize_dynamic(draw: Draw) -> Case:
    """By the tensor's own range: at random, or near ties of the scale that their range gives."""
    dtype = str(draw.choice(["quint8", "qint8"]))
    reduce = draw.chance(0.5)
    if draw.chance(0.5):
        x = draw.floats(shape_of(draw), draw.scale(1e-3, 100)) + float(draw.choice([0, 0, 3]))
    else:
        x = torch.from_numpy(near_own_ties(draw, shape_of(draw), 127 if reduce else 255))
    return Case(lambda: torch.quantize_per_tensor_dynamic(x, TYPES[dtype], reduce))


def dequantize(draw: Draw) -> Case:
    """With one scale, or a scale per channel."""
    dtype = str(draw.choice(list(TYPES)))
    if draw.chance(0.5):
        q = draw.integers(shape_of(draw), dtype)
        x = draw.laid_out(per_tensor(q, draw.scale(1e-4, 5), zero_point_of(draw, dtype)))
        return Case(x.dequantize)
    shape, axis, scale, zero_points = channels(draw, dtype)
    q = draw.integers(shape, dtype)
    held = torch.from_numpy(q), torch.from_numpy(scale), torch.from_numpy(zero_points)
    made = torch._make_per_channel_quantized_tensor(*held, axis)
    return Case(made.dequantize)


def copy_into(draw: Draw) -> Case:
    """Quantized or real values, into a tensor with other parameters."""
    dtype = str(draw.choice(["quint8", "qint8"]))
    shape = shape_of(draw)
    into = draw.quantized(shape, dtype)
    if draw.chance(0.3):
        other = draw.laid_out(draw.quantized(shape, dtype))
        return Case(lambda: into.copy_(other))
    x = torch.from_numpy(values(draw, into.q_scale(), into.q_zero_point(), shape))
    return Case(lambda: into.copy_(x))


CASES = {
    "quantize": quantize,
    "quantize_per_channel": quantize_per_channel,
    "quantize_dynamic": quantize_dynamic,
    "dequantize": dequantize,
    "copy_into": copy_into,
}
