"""Weights, biases and output scales of layers that sum products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from qdbg.core.quantity import Array
from qdbg.selftest.draw import Draw, per_channel, per_tensor


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """int8 weights with their scales."""

    tensor: torch.Tensor
    q: Array
    scale: Array
    """float64, [] or [C]."""
    zero_point: int

    def centred(self) -> Array:
        """w_q − w_zp in float64, in which sums of products are exact."""
        return self.q.astype(np.float64) - self.zero_point

    @staticmethod
    def bias(b: Array | None) -> torch.Tensor | None:
        """As torch takes it."""
        return None if b is None else torch.from_numpy(np.asarray(b, np.float32))


def weights(draw: Draw, shape: Sequence[int], axis: int = 0) -> Weights:
    """[C, …], over the full range, or large ones that make pairs saturate, or small ones."""
    kind, small = draw.random.random(), draw.tie
    if kind < 0.35:
        q = draw.random.choice(np.array([127, -128, 126, 113], np.int8), shape)
    elif small and draw.chance(0.5):
        q = draw.random.integers(-8, 8, shape).astype(np.int8)
    else:
        q = draw.random.integers(-128, 128, shape).astype(np.int8)
    if draw.chance(0.5):
        size = shape[axis]
        powers = 2.0 ** -draw.random.integers(4, 9, size).astype(float)
        scale = powers if draw.tie else draw.random.uniform(1e-4, 0.05, size)
        return Weights(per_channel(q, scale, axis), q, scale, 0)
    one = draw.scale(1e-4, 0.05)
    zero_point = 0
    if draw.engine != "onednn" and draw.chance(0.3):
        zero_point = int(draw.random.integers(-5, 6))
    return Weights(per_tensor(q, one, zero_point), q, np.array(one), zero_point)


def output_scale(draw: Draw, x: torch.Tensor, made: Weights, size: int) -> float:
    """So that sums of `size` products fill the output's range, or a few steps of it."""
    unit = x.q_scale() * float(np.max(made.scale))
    if draw.tie:
        return float(2.0 ** np.round(np.log2(unit)) * 2.0 ** draw.random.integers(1, 12))
    return float(unit * np.sqrt(size) * np.exp(draw.random.uniform(0, np.log(400))))


def biases(draw: Draw, x: torch.Tensor, made: Weights, outputs: int | None = None) -> Array:
    """float32 [C]: halves of the accumulator's unit, anything, huge ones, and now and then an
    infinity or NaN."""
    channels = made.q.shape[0] if outputs is None else outputs
    unit = np.broadcast_to(x.q_scale() * made.scale, (channels,))
    if draw.tie:
        return np.asarray((draw.random.integers(-2000, 2000, channels) / 2 * unit), np.float32)
    if draw.chance(0.3):
        steps = draw.random.integers(-2000, 2000, channels) + 0.5
        return draw.steps_away((steps * unit).astype(np.float32))
    b = draw.random.normal(0, 2000, channels) * unit
    if draw.chance(0.1):
        b = b * 1e7
    if draw.chance(0.05):
        b[draw.random.integers(channels)] = draw.choice([np.inf, -np.inf, np.nan])
    return b.astype(np.float32)


def near_ties(
    draw: Draw, acc: Array, x: torch.Tensor, made: Weights, scale: float
) -> tuple[Array | None, float]:
    """A bias, or without one an output's scale, that brings results within a few float32 steps of
    a rounding tie. QNNPACK rounds a bias to an integer, so that only the scale gets there.

    `acc` holds the exact sums, the channel on the last axis.
    """
    if draw.chance(0.4 if draw.engine == "qnnpack" else 0.8):
        return bias_near_ties(draw, acc, x, made, scale), scale
    flat = acc.reshape(-1)
    place = int(draw.random.integers(len(flat)))
    unit = np.broadcast_to(x.q_scale() * made.scale, acc.shape[-1:])[place % acc.shape[-1]]
    target = draw.random.integers(0, 120) + 0.5
    near = float(unit) * (abs(float(flat[place])) or 1.0) / target
    return None, float(draw.steps_away(np.array([near]))[0])


def bias_near_ties(draw: Draw, acc: Array, x: torch.Tensor, made: Weights, scale: float) -> Array:
    """float32 [C]: for each channel one that brings a result within a few float32 steps of a
    rounding tie, where the order of the float32 operations decides; random biases hardly ever do.

    `acc` holds the exact sums, the channel on the last axis.
    """
    rows = acc.reshape(-1, acc.shape[-1])
    chosen = rows[draw.random.integers(len(rows), size=rows.shape[1]), np.arange(rows.shape[1])]
    target = draw.random.integers(-120, 120, rows.shape[1]) + 0.5
    unit = np.broadcast_to(x.q_scale() * made.scale, target.shape)
    return draw.steps_away((target * scale - chosen * unit).astype(np.float32))


def near_ties_in_all(
    draw: Draw, acc: Array, x: torch.Tensor, q: Array
) -> tuple[Weights, Array | None, float]:
    """Weights of these integers, their bias or none, and an output's scale that bring a result in
    each channel within a few float32 steps of a rounding tie. QNNPACK rounds a bias to an integer,
    so that only the weights' scales get there.

    `acc` holds the exact sums, the channel on the last axis.
    """
    scale = draw.uneven_scale(0.01, 1)
    if draw.engine == "qnnpack" or draw.chance(0.4):
        w_scale = scales_near_ties(draw, acc, x, scale)
        return Weights(per_channel(q, w_scale), q, w_scale, 0), None, scale
    if draw.chance(0.5):
        each = np.asarray(draw.random.uniform(1e-4, 0.05, q.shape[0]))
        made = Weights(per_channel(q, each), q, each, 0)
    else:
        one = draw.uneven_scale(1e-4, 0.05)
        made = Weights(per_tensor(q, one, 0), q, np.array(one), 0)
    return made, bias_near_ties(draw, acc, x, made, scale), scale


def scales_near_ties(draw: Draw, acc: Array, x: torch.Tensor, scale: float) -> Array:
    """float64 [C]: a weights' scale for each channel, without a bias."""
    rows = np.abs(acc.reshape(-1, acc.shape[-1]))
    chosen = rows[draw.random.integers(len(rows), size=rows.shape[1]), np.arange(rows.shape[1])]
    target = draw.random.integers(1, 120, rows.shape[1]) + 0.5
    near = scale * target / (np.maximum(chosen, 1) * x.q_scale())
    return draw.steps_away(near.astype(np.float32)).astype(np.float64)
