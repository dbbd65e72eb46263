"""Tensors whose scale makes the last bit of an exponential decide about an integer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch

from qdbg.core.arithmetic import f32, f64, mul32, rne
from qdbg.core.quantity import Array
from qdbg.ops._elementwise import dequantize_block
from qdbg.selftest.draw import Draw, per_tensor

PART = 0.3
"""The part of the cases of functions with an exponential that are drawn so."""
TRIED = 1024
"""How many scales are looked at; far fewer bring a tie between two neighbouring results."""
Function: TypeAlias = Callable[[Array], Array]


def near_ties(
    draw: Draw,
    vector: Function,
    rounded: Function,
    real: Function,
    y_scale: float | None,
    reach: float = 5,
) -> torch.Tensor:
    """A flat tensor. `real` is the op in float64; of two ways to evaluate it in float32, one of
    its bytes has different integers in a vector block, if any scale tried gives such. The result
    has the tensor's own scale where y_scale is None. Real values up to `reach` are tried: the two
    ways should differ there."""
    dtype = "qint8" if draw.chance(0.3) else "quint8"
    zero_point = draw.zero_point(dtype)
    q = draw.integers((draw.integer(64, 700),), dtype)
    tried = draw.random.choice(q[: q.size // 64 * 64], TRIED)
    steps = f64(tried) - zero_point
    at = _on_a_tie(draw, real, np.where(steps == 0, 1, steps), y_scale, reach)
    scales = draw.steps_away(np.abs(at / np.where(steps == 0, 1, steps)))
    with np.errstate(all="ignore"):
        d = dequantize_block.compute(scales, tried.astype(np.int16), zero_point)
        inv = f32(1 / f64(f32(scales if y_scale is None else y_scale)))
        found = np.flatnonzero(rne(mul32(vector(d), inv)) != rne(mul32(rounded(d), inv)))
    chosen = int(draw.choice(found.tolist())) if found.size else 0
    return per_tensor(q, float(scales[chosen]), zero_point)


def _on_a_tie(
    draw: Draw, real: Function, steps: Array, y_scale: float | None, reach: float
) -> Array:
    """Real numbers of the steps' signs where `real` gives half an output step more than a whole
    one, by Newton's method."""

    def out(at: Array) -> Array:
        return real(at) / (at / steps if y_scale is None else y_scale)

    at = np.copysign(draw.random.uniform(0.1, reach, steps.shape), steps)
    tie = np.floor(out(at)) + 0.5
    for _ in range(8):
        slope = (out(at + 1e-6) - out(at - 1e-6)) / 2e-6
        move = (out(at) - tie) / np.where(slope == 0, 1, slope)
        at = np.copysign(np.maximum(np.abs(at - np.clip(move, -0.5, 0.5)), 1e-6), steps)
    return np.asarray(at)
