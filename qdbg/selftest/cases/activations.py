"""Functions of one tensor, element by element: every byte, every place in a vector block."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from qdbg.core.arithmetic import exp32, expm1_32, f32, f64, tanh32
from qdbg.core.exponential import exp_vector, expm1_vector, tanh_vector
from qdbg.core.quantity import Array
from qdbg.ops import gelu as op
from qdbg.selftest.cases._ties import PART, near_ties
from qdbg.selftest.draw import Case, Draw

SIZES = [1, 2, 63, 64, 65, 127, 128, 130, 255, 256, 257, 320, 1000]
Function = Callable[[torch.Tensor, float, int], Any]


def tensor(draw: Draw) -> torch.Tensor:
    """Flat, a table or an image, in one of its orders of memory; now and then empty."""
    dtype = "qint8" if draw.chance(0.3) else "quint8"
    long, kind = draw.shared(), draw.random.random()
    if long is not None:
        return draw.quantized(long, dtype, draw.scale(1e-3, 2))
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


def bent(draw: Draw, alpha: float, inner: float, y_scale: float) -> torch.Tensor:
    """For an ELU: alpha times the exponential of `inner` times the value, less 1, near ties."""

    def of(expm1: Callable[[Array], Array]) -> Callable[[Array], Array]:
        return lambda d: np.where(d > 0, d, f32(f64(expm1(f32(f64(d) * f32(inner)))) * f32(alpha)))

    def real(d: Array) -> Array:
        return np.where(d > 0, d, alpha * np.expm1(d * inner))

    return near_ties(draw, of(expm1_vector), of(expm1_32), real, y_scale, reach=0.5)


def elu(draw: Draw) -> Case:
    """With any alpha."""
    alpha = float(draw.choice([1.0, 1.0, 0.5, 2.0, 1.3]))
    scale = draw.scale(1e-3, 2)
    x = bent(draw, alpha, 1.0, scale) if draw.chance(PART) else tensor(draw)
    zero_point = draw.zero_point("qint8" if x.dtype == torch.qint8 else "quint8")
    return Case(lambda: torch.ops.quantized.elu(x, scale, zero_point, alpha))


def celu(draw: Draw) -> Case:
    """With any alpha."""
    alpha = float(draw.choice([1.0, 1.0, 0.5, 2.0, 1.3]))
    scale = draw.scale(1e-3, 2)
    x = bent(draw, alpha, 1 / alpha, scale) if draw.chance(PART) else tensor(draw)
    zero_point = draw.zero_point("qint8" if x.dtype == torch.qint8 else "quint8")
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
    """One slope, or one for each channel; now and then the slope 1 is a tie in their steps."""
    x = tensor(draw)
    dtype = "qint8" if x.dtype == torch.qint8 else "quint8"
    slopes = x.shape[1] if x.ndim > 1 and draw.chance(0.7) else 1
    own = 1 / (draw.integer(2, 60) + 0.5) if draw.chance(0.2) else draw.scale(1e-3, 0.5)
    w = draw.quantized((slopes,), dtype, own)
    scale, zero_point = draw.scale(1e-3, 2), draw.zero_point(dtype)
    return Case(lambda: torch.ops.quantized.prelu(x, w, scale, zero_point))


def logistic(exp: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """1 / (1 + e^−d) in float32."""
    return lambda d: f32(1 / f64(f32(1 + f64(exp(-d)))))


def logistic64(d: Array) -> Array:
    """1 / (1 + e^−d)."""
    return np.asarray(1 / (1 + np.exp(-d)))


def sigmoid(draw: Draw) -> Case:
    """With the fixed parameters of the function, or own ones."""
    fixed, qnnpack = draw.chance(0.4), draw.chance(0.3)
    scale = 1 / 256 if fixed or qnnpack else draw.scale(1e-3, 0.1)
    x = tensor(draw)
    if draw.chance(PART):
        x = near_ties(draw, logistic(exp_vector), logistic(exp32), logistic64, scale)
    if fixed:
        return Case(lambda: torch.sigmoid(x))
    dtype = "qint8" if x.dtype == torch.qint8 else "quint8"
    zero_point = 0 if qnnpack else draw.zero_point(dtype)
    return Case(lambda: torch.ops.quantized.sigmoid(x, scale, zero_point))


def tanh(draw: Draw) -> Case:
    """Its result has the scale 1 / 128."""
    x = tensor(draw)
    if draw.chance(PART):
        x = near_ties(draw, tanh_vector, tanh32, np.tanh, 1 / 128)
    return Case(lambda: torch.tanh(x))


def gelu64(d: Array) -> Array:
    """By the error function."""
    return np.array([each * 0.5 * (1 + math.erf(each * op.ROOT)) for each in d.tolist()])


def gelu_tanh64(d: Array) -> Array:
    """By its approximation."""
    return np.asarray(0.5 * d * (1 + np.tanh(op.BETA * (d + op.KAPPA * d**3))))


def gelu(draw: Draw) -> Case:
    """By the error function, or by its approximation; the parameters stay the input's."""
    x, kind = tensor(draw), str(draw.choice(["none", "tanh"]))
    if draw.chance(PART):
        block, tail = (
            (op.gelu_block, op.gelu_tail)
            if kind == "none"
            else (op.gelu_tanh_block, op.gelu_tanh_tail)
        )
        real = gelu64 if kind == "none" else gelu_tanh64
        x = near_ties(draw, block.compute, tail.compute, real, None)
    return Case(lambda: torch.nn.functional.gelu(x, approximate=kind))


def threshold(draw: Draw) -> Case:
    """On one of the values, between them, and outside the range."""
    x = tensor(draw)
    at = float(draw.choice([0.0, *x.dequantize().reshape(-1)[:4].tolist(), 1e9]))
    value = float(draw.random.normal(0, 50 * x.q_scale()))
    call = draw.choice([torch.nn.functional.threshold, torch.ops.quantized.threshold])
    return Case(lambda: call(x, at, value))


CASES = {
    "celu": celu,
    "clamp": clamp,
    "elu": elu,
    "gelu": gelu,
    "hardsigmoid": unary(lambda x, scale, zero_point: torch.nn.functional.hardsigmoid(x)),
    "hardswish": unary(torch.ops.quantized.hardswish),
    "leaky_relu": leaky_relu,
    "prelu": prelu,
    "relu": unary(lambda x, scale, zero_point: torch.relu(x)),
    "sigmoid": sigmoid,
    "tanh": tanh,
    "threshold": threshold,
}
