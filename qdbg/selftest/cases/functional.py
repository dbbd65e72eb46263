"""Arithmetic of two tensors or of a tensor and a number, and tensors put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.ao.nn.quantized as nnq

from qdbg.core.quantity import STORAGE
from qdbg.selftest.draw import Case, Draw, per_tensor

SIZES = [1, 2, 63, 64, 65, 127, 128, 130, 255, 256, 257, 320, 1000]
LEAST_RATIO, MOST_RATIO = 2.0**-14, 2.0**8
"""QNNPACK adds no operands whose scales are further away from the result's."""
PAIRS = [(65536,), (256, 256), (2048, 32), (16, 128, 32), (4, 16, 32, 32)]
"""Shapes with room for all pairs of bytes; in rows of 32 none lies in a whole vector block."""
FUNCTIONAL: Any = torch.ops.quantized


def shape_of(draw: Draw) -> tuple[int, ...]:
    """Flat, a table or an image, around the sizes of vector blocks."""
    kind = draw.random.random()
    shape: tuple[int, ...] = (
        draw.integer(1, 3),
        draw.integer(1, 20),
        draw.integer(1, 12),
        draw.integer(1, 12),
    )
    if kind < 0.4:
        shape = (int(draw.choice(SIZES)) if draw.size > 0.5 else draw.integer(1, 70),)
    elif kind < 0.65:
        shape = (draw.integer(1, 9), draw.integer(1, 150))
    return draw.lengthened(shape)


def dtype_of(draw: Draw) -> str:
    """One of the two types of bytes."""
    return "qint8" if draw.chance(0.3) else "quint8"


def repeated(draw: Draw, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to `shape`: without some leading axes, some axes 1 long."""
    kept = shape[draw.integer(0, len(shape)) :] if draw.chance(0.5) else shape
    return tuple(1 if draw.chance(0.4) else n for n in kept)


def pair(draw: Draw) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Two operands and their type; now and then one of them is broadcast, strided or huge."""
    dtype, long = dtype_of(draw), draw.shared()
    if long is not None:
        a, b = (draw.quantized(long, dtype, draw.scale(1e-3, 2)) for _ in range(2))
        return a, b, dtype
    if draw.large and draw.chance(0.5):
        return every_pair(draw)
    shape = shape_of(draw)
    if draw.chance(0.1):
        shape = (draw.integer(1, 3), 7 * 64 + draw.integer(0, 64), draw.integer(1, 30))
    other = repeated(draw, shape) if draw.chance(0.3) else shape
    shapes = [shape, other] if draw.chance(0.6) else [other, shape]
    a, b = (draw.quantized(s, dtype, draw.scale(1e-3, 2)) for s in shapes)
    if draw.chance(0.3):  # QNNPACK wants its ratios within some 20 binary places
        b = per_tensor(b.int_repr().numpy(), a.q_scale() * near_one(draw), b.q_zero_point())
    return strided(draw, a), strided(draw, b), dtype


def every_pair(draw: Draw) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Operands in which each byte meets each byte once."""
    dtype, shape = dtype_of(draw), draw.choice(PAIRS)
    both = draw.random.permutation(2**16)
    first = draw.scale(1e-3, 2)
    scales = first, first * near_one(draw) if draw.chance(0.3) else draw.scale(1e-3, 2)
    a, b = (
        strided(
            draw, per_tensor(q.astype(np.uint8).view(STORAGE[dtype]), s, draw.zero_point(dtype))
        )
        for q, s in zip((both // 256, both % 256), scales, strict=True)
        for q in (q.reshape(shape),)
    )
    return a, b, dtype


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


def tie_of(draw: Draw, x: torch.Tensor) -> float:
    """A scale that brings one element near a tie, and that is no float32 number."""
    value = abs(float(draw.random.choice(np.ravel(x.numpy())))) or 1.0
    near = draw.steps_away(np.array([value / (draw.integer(0, 120) + 0.5)]))[0]
    return float(near) * (1 + float(draw.random.uniform(-6e-8, 6e-8)))


def adding(name: str) -> Callable[[Draw], Case | None]:
    """A case of add or add_relu."""

    def make(draw: Draw) -> Case | None:
        a, b, dtype = pair(draw)
        scale, zero_point = parameters(draw, max(a.q_scale(), b.q_scale()), dtype)
        if draw.chance(0.3):
            scale = tie_of(draw, a.dequantize() + b.dequantize())
        elif draw.chance(0.2):
            a, b, scale = near_ties_everywhere(draw, dtype)
        if draw.engine == "qnnpack" and dtype == "quint8" and a.shape == b.shape:
            ratios = np.array([a.q_scale(), b.q_scale()], np.float32) / np.float32(scale)
            if ratios.min() < LEAST_RATIO or ratios.max() >= MOST_RATIO:
                return None
            zero_point = min(zero_point, 254)  # it wants room above the zero point
        if draw.chance(0.5):
            held = module(scale, zero_point)
            return Case(lambda: getattr(held, name)(a, b), {"f": held})
        return Case(lambda: getattr(FUNCTIONAL, name)(a, b, scale, zero_point))

    return make


def near_ties_everywhere(draw: Draw, dtype: str) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Operands with the same uneven scale, one of them perhaps a single element, and a scale of the
    result: half of the sums lie within a few float32 steps of a rounding tie."""
    unit = draw.uneven_scale(1e-3, 2)
    shape = (draw.integer(1, 9), 64)
    a, b = (draw.quantized(s, dtype, unit) for s in (shape, shape if draw.chance(0.5) else (1,)))
    return a, b, draw.halves(unit)


def near_tie(draw: Draw, a: torch.Tensor, b: torch.Tensor) -> float:
    """A scale of the result that brings one product within some float32 steps of a tie."""
    centred = [x.int_repr().numpy().astype(np.int64) - x.q_zero_point() for x in (a, b)]
    product = abs(int(draw.random.choice(np.ravel(centred[0] * centred[1])))) or 1
    scale = a.q_scale() * b.q_scale() * product / (draw.integer(0, 120) + 0.5)
    return float(draw.steps_away(np.array([scale]))[0])


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
        if draw.chance(0.4) and a.shape == b.shape:
            scale = near_tie(draw, a, b)
        elif not draw.tie and draw.chance(0.5):
            scale = draw.halves(unit * 2.0 ** draw.integer(4, 10))
        return Case(lambda: getattr(FUNCTIONAL, name)(a, b, scale, zero_point))

    return make


def adding_number(name: str) -> Callable[[Draw], Case]:
    """A case of add_scalar or add_scalar_relu: the zero point stays inside, or leaves."""

    def make(draw: Draw) -> Case:
        dtype = dtype_of(draw)
        x = strided(draw, draw.quantized(shape_of(draw), dtype, draw.scale(1e-3, 2)))
        steps = draw.random.normal(0, draw.choice([20, 120, 400, 5000]))
        if draw.chance(0.3):
            steps = round(steps) + 0.5
        c = float(steps * x.q_scale()) if draw.chance(0.9) else 0.0
        return Case(lambda: getattr(FUNCTIONAL, name)(x, c))

    return make


def multiplying_number(name: str) -> Callable[[Draw], Case]:
    """A case of mul_scalar or mul_scalar_relu: either sign, and 0."""

    def make(draw: Draw) -> Case:
        x = strided(draw, draw.quantized(shape_of(draw), dtype_of(draw), draw.scale(1e-3, 2)))
        c = float(draw.choice([0.0, 1.0, -1.0, 0.3, -0.3, 7.5, -1e-3]))
        return Case(lambda: getattr(FUNCTIONAL, name)(x, c))

    return make


def joined(draw: Draw, images: bool) -> tuple[list[torch.Tensor], int, str]:
    """Some tensors that fit along an axis; images are often channels last, along the channels."""
    dtype, count = dtype_of(draw), draw.integer(1, 4)
    shape = (
        [draw.integer(1, 3), 0, draw.integer(1, 9), draw.integer(1, 9)]
        if images
        else [draw.integer(1, 40) for _ in range(draw.integer(1, 3))]
    )
    axis = 1 if images else draw.integer(0, len(shape) - 1)
    if images and draw.chance(0.2):
        axis, shape[1] = int(draw.choice([0, 2, 3, -1])), draw.integer(1, 20)
    found = []
    scale = draw.scale(1e-3, 2)
    for _ in range(count):
        shape[axis] = draw.integer(1, 40)
        own = scale if draw.chance(0.3) else scale * near_one(draw)
        found.append(draw.quantized(shape, dtype, own))
    if images and draw.chance(0.7):
        last = torch.channels_last
        return [t.contiguous(memory_format=last) for t in found], axis, dtype
    return [strided(draw, t) for t in found], axis, dtype


def joining(name: str) -> Callable[[Draw], Case]:
    """A case of cat or cat_relu, with parameters of its own or the first operand's."""

    def make(draw: Draw) -> Case:
        parts, axis, dtype = joined(draw, draw.chance(0.6))
        scale, zero_point = parameters(draw, parts[0].q_scale(), dtype)
        if draw.chance(0.1):
            scale, zero_point = parts[0].q_scale(), parts[0].q_zero_point()
        if draw.chance(0.4):
            scale = tie_of(draw, parts[0].dequantize())
        if name == "cat" and draw.chance(0.3):
            return Case(lambda: torch.cat(parts, axis))
        return Case(lambda: getattr(FUNCTIONAL, name)(parts, axis, scale, zero_point))

    return make


def stack(draw: Draw) -> Case:
    """Tensors of one shape with parameters of their own; often channels-last images."""
    images = draw.chance(0.5)
    shape = tuple(draw.integer(1, 12) for _ in range(4 if images else draw.integer(1, 4)))
    shape = draw.lengthened(shape, most=8000)
    dtype, scale = dtype_of(draw), draw.scale(1e-3, 2)
    parts = [
        draw.quantized(shape, dtype, scale * near_one(draw)) for _ in range(draw.integer(1, 3))
    ]
    if images and draw.chance(0.8):
        parts = [t.contiguous(memory_format=torch.channels_last) for t in parts]
        axis = 1 if draw.chance(0.5) else -4
        return Case(lambda: torch.stack(parts, axis))
    parts = [strided(draw, t) for t in parts]
    axis = draw.integer(-len(shape) - 1, len(shape))
    return Case(lambda: torch.stack(parts, axis))


def matmul(draw: Draw) -> Case:
    """Matrices, in batches or not; their scales are powers of two in half of the cases, and in
    large ones always: then no order of the sums decides."""
    draw.tie |= draw.large
    batch = tuple(draw.integer(1, 3) for _ in range(draw.integer(0, 2)))
    n, k, c = draw.integer(1, 9), draw.integer(1, 300), draw.integer(1, 9)
    if draw.chance(0.5):
        n, k, c = draw.integer(1, 30), draw.integer(1, 12), draw.integer(1, 30)
    n, c = draw.lengthened((n, c), most=min(20_000, 10**6 // k))
    dtype = dtype_of(draw)
    a, b = draw.quantized((*batch, n, k), dtype), draw.quantized((*batch, k, c), dtype)
    if draw.chance(0.3) and not draw.large:
        a = per_tensor(a.int_repr().numpy(), a.q_scale() * 3, a.q_zero_point())
    unit = a.q_scale() * b.q_scale() * 16
    scale, zero_point = parameters(draw, unit, dtype)
    held = module(scale, zero_point)
    return Case(lambda: held.matmul(a, b), {"f": held})


CASES = {
    "add": adding("add"),
    "add_relu": adding("add_relu"),
    "mul": multiplying("mul"),
    "mul_relu": multiplying("mul_relu"),
    "add_scalar": adding_number("add_scalar"),
    "add_scalar_relu": adding_number("add_scalar_relu"),
    "mul_scalar": multiplying_number("mul_scalar"),
    "mul_scalar_relu": multiplying_number("mul_scalar_relu"),
    "cat": joining("cat"),
    "cat_relu": joining("cat_relu"),
    "stack": stack,
    "matmul": matmul,
}
