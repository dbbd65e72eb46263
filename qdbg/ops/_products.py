"""The multiply-accumulate of one output channel: exact, or in saturating pairs."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import (
    cut_pairs,
    exact_sums,
    i32,
    saturating_pair_sums,
    wrap32,
)
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, stage


@stage("centre", output="x_c int32 [K]", formula="x_c[k] = x_q[k] − x_zp")
def centre(x_q: Array, x_zp: Array) -> Array:
    """Subtract the input's zero point: the integer 0 then stands for the real value 0.

    The kernel itself multiplies the raw bytes and takes the zero point off the sum afterwards.
    Where nothing saturates that gives the same integer.
    """
    return i32(x_q) - i32(x_zp)


@stage("mac", output="acc int32 [C]", formula="acc[c] = Σₖ x_c[k]·w_q[c,k]")
def mac(x_c: Array, w_q: Array) -> Array:
    """Multiply each centred input by its weight and add up over the inputs of output channel c.

    The sum is kept in int32, and nothing is lost on the way.
    """
    return wrap32(exact_sums(x_c, w_q))


@stage("mac", output="acc int32 [C]", formula="acc[c] = Σₖ x_c[k]·(w_q[c,k] − w_zp[c])")
def mac_centred(x_c: Array, w_q: Array, w_zp: Array) -> Array:
    """Multiply each centred input by its centred weight and add up over the inputs of channel c.

    The sum is kept in int32, and nothing is lost on the way.
    """
    return wrap32(exact_sums(x_c, i32(w_q) - i32(w_zp).reshape(-1, 1)))


def _pairs_cut(x_q: Array, w_q: Array) -> Array:
    return cut_pairs(x_q, w_q, blocked=False)


def _blocked_pairs_cut(x_q: Array, w_q: Array) -> Array:
    return cut_pairs(x_q, w_q, blocked=True)


PAIR = "dot[c] = Σᵢ sat16(x_q[2i]·w_q[c,2i] + x_q[2i+1]·w_q[c,2i+1])"


@stage("mac", output="dot int32 [C]", formula=PAIR, saturates=_pairs_cut, unsaturated=exact_sums)
def mac_pairs(x_q: Array, w_q: Array) -> Array:
    """Multiply the raw bytes and add them two by two; each pair's sum is saturated to int16.

    Without VNNI the instruction vpmaddubsw does this: a pair above 32767 or below −32768 is cut
    off there, and the excess is lost from the sum. ↑ and ↓ mark the channels where that happened.
    """
    return wrap32(saturating_pair_sums(x_q, w_q, blocked=False))


@stage(
    "mac",
    output="dot int32 [C]",
    formula=PAIR,
    saturates=_blocked_pairs_cut,
    unsaturated=exact_sums,
)
def mac_pairs_blocked(x_q: Array, w_q: Array) -> Array:
    """Multiply the raw bytes and add them two by two; each pair's sum is saturated to int16.

    Without VNNI the instruction vpmaddubsw does this, and the excess of a pair above 32767 or
    below −32768 is lost. oneDNN on AVX2 splits more than 256 inputs into blocks, and the pairs
    start anew in each block. ↑ and ↓ mark the channels where a pair was cut off.
    """
    return wrap32(saturating_pair_sums(x_q, w_q, blocked=True))


@stage(
    "sum of weights",
    output="w_sum int64 [C]",
    formula="w_sum[c] = Σₖ w_q[c,k]",
    constant=True,
)
def weight_sum(w_q: Array) -> Array:
    """The sum of the weights of one output channel, known before any input is."""
    total: Array = i32(w_q).sum(axis=1, dtype=np.int64)
    return total


@stage(
    "sum of weights",
    output="w_sum int64 [C]",
    formula="w_sum[c] = Σₖ (w_q[c,k] − w_zp[c])",
    constant=True,
)
def weight_sum_centred(w_q: Array, w_zp: Array) -> Array:
    """The sum of the centred weights of one output channel, known before any input is."""
    total: Array = (i32(w_q) - i32(w_zp).reshape(-1, 1)).sum(axis=1, dtype=np.int64)
    return total


@stage("sum of inputs", output="x_sum int64 [1]", formula="x_sum = Σₖ x_q[k]", constant=True)
def input_sum(x_q: Array) -> Array:
    """The sum of the raw input bytes."""
    total: Array = i32(x_q).sum(axis=1, dtype=np.int64, keepdims=True)
    return total


@stage("centre", output="acc int32 [C]", formula="acc[c] = dot[c] − x_zp·w_sum[c]")
def centre_sum(dot: Array, x_zp: Array, w_sum: Array) -> Array:
    """Take the input's zero point off the sum, since the kernel multiplied the raw bytes.

    The sum of the weights is exact, so what a pair lost by saturation stays lost.
    """
    return wrap32(dot - np.int64(x_zp) * w_sum)


@stage(
    "centre",
    output="acc int32 [C]",
    formula="acc[c] = dot[c] − x_zp·w_sum[c] − w_zp[c]·x_sum",
)
def centre_sums(dot: Array, x_zp: Array, w_sum: Array, w_zp: Array, x_sum: Array) -> Array:
    """Take both zero points off the sum, since the kernel multiplied the raw bytes.

    The sums of the weights and of the inputs are exact, so what a pair lost by saturation stays
    lost.
    """
    return wrap32(dot - np.int64(x_zp) * w_sum - w_zp * x_sum)


def products(accumulator: str, *, weight_zero_points: bool) -> tuple[Stage, ...]:
    """The stages from the bytes to `acc`, by `Arithmetic.accumulator`."""
    if accumulator == "exact":
        return (centre, mac_centred if weight_zero_points else mac)
    pairs = mac_pairs_blocked if accumulator == "pairs-blocked" else mac_pairs
    if weight_zero_points:
        return (pairs, weight_sum_centred, input_sum, centre_sums)
    return (pairs, weight_sum, centre_sum)
