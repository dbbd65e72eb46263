"""The multiply-accumulate of one output channel: exact, or in saturating pairs."""

from __future__ import annotations

from functools import cache

import numpy as np

from qdbg.core.arithmetic import INT16, centred, i32, wrap32, wrapped_sum
from qdbg.core.op import Kernel
from qdbg.core.pairs import PORTION, cut_pairs, saturating_pair_sums
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, stage
from qdbg.core.sums import exact_sums, in_groups, largest, row_sums


@stage("centre", output="x_c int16 [K]", formula="x_c[k] = x_q[k] − x_zp")
def centre(x_q: Array, x_zp: Array) -> Array:
    """Subtract the input's zero point: the integer 0 then stands for the real value 0.

    The kernel itself multiplies the raw bytes and takes the zero point off the sum afterwards.
    Where nothing saturates that gives the same integer.
    """
    return centred(x_q, x_zp)


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
    return cut_pairs(x_q, w_q, 0)


def _whole(x_q: Array, w_q: Array, block: int) -> Array:
    del block
    return exact_sums(x_q, w_q)


PAIR = "dot[c] = Σᵢ sat16(x_q[2i]·w_q[c,2i] + x_q[2i+1]·w_q[c,2i+1])"


@stage("mac", output="dot int32 [C]", formula=PAIR, saturates=_pairs_cut, unsaturated=exact_sums)
def mac_pairs(x_q: Array, w_q: Array) -> Array:
    """Multiply the raw bytes and add them two by two; each pair's sum is saturated to int16.

    Without VNNI the instruction vpmaddubsw does this: a pair above 32767 or below −32768 is cut
    off there, and the excess is lost from the sum. ↑ and ↓ mark the channels where that happened.
    """
    return wrap32(saturating_pair_sums(x_q, w_q, 0))


@stage(
    "mac",
    output="dot int32 [C]",
    formula=f"{PAIR}, anew every block inputs",
    saturates=cut_pairs,
    unsaturated=_whole,
)
def mac_pairs_blocked(x_q: Array, w_q: Array, block: int) -> Array:
    """Multiply the raw bytes and add them two by two; each pair's sum is saturated to int16.

    Without VNNI the instruction vpmaddubsw does this, and the excess of a pair above 32767 or
    below −32768 is lost. oneDNN goes through the inputs in blocks, and the pairs start anew in
    each. ↑ and ↓ mark the channels where a pair was cut off.
    """
    return wrap32(saturating_pair_sums(x_q, w_q, int(block)))


@stage(
    "sum of weights",
    output="w_sum int64 [C]",
    formula="w_sum[c] = Σₖ w_q[c,k]",
    constant=True,
)
def weight_sum(w_q: Array) -> Array:
    """The sum of the weights of one output channel, known before any input is."""
    return row_sums(w_q)


def _cut_inside(x_q: Array, inside: Array, w_q: Array, block: int) -> Array:
    return cut_pairs(x_q * inside, w_q, int(block))


def _whole_inside(x_q: Array, inside: Array, w_q: Array, block: int) -> Array:
    del block
    return exact_sums(x_q * inside, w_q)


@stage(
    "mac",
    output="dot int32 [C]",
    formula="dot[c] = Σᵢ sat16(inside[2i]·x_q[2i]·w_q[c,2i] + inside[2i+1]·x_q[2i+1]·w_q[c,2i+1]),"
    " anew every block inputs",
    saturates=_cut_inside,
    unsaturated=_whole_inside,
)
def mac_pairs_inside(x_q: Array, inside: Array, w_q: Array, block: Array) -> Array:
    """Multiply the raw bytes and add them two by two; each pair's sum is saturated to int16.

    oneDNN leaves out the positions that lie in the padding (inside is 0 there), and starts its
    pairs anew at each position of the kernel. ↑ and ↓ mark the channels where a pair was cut off.
    """
    return wrap32(saturating_pair_sums(x_q * inside, w_q, int(block)))


@stage(
    "sum of weights",
    output="w_sum int64 [C]",
    formula="w_sum[c] = Σₖ inside[k]·w_q[c,k], k over kernel_size and channels",
    constant=True,
)
def weight_sum_inside(inside: Array, w_q: Array, kernel_size: Array) -> Array:
    """The sum of the weights of one output channel that meet the image, not its padding. All the
    channels at a position of the kernel lie inside or none does."""
    taps = int(np.prod(kernel_size))
    channels = w_q.shape[1] // taps
    of_taps = row_sums(w_q.reshape(-1, channels))
    return exact_sums(inside[..., ::channels], of_taps.reshape(len(w_q), taps))


@stage(
    "sum of weights",
    output="w_sum int64 [C]",
    formula="w_sum[c] = Σₖ (w_q[c,k] − w_zp[c])",
    constant=True,
)
def weight_sum_centred(w_q: Array, w_zp: Array) -> Array:
    """The sum of the centred weights of one output channel, known before any input is."""
    return row_sums(i32(w_q) - i32(w_zp).reshape(-1, 1))


@stage(
    "sum of inputs",
    output="x_sum int64 [C]",
    formula="x_sum[c] = Σₖ x_q[k], over the k of w_q[c]",
    constant=True,
)
def input_sum(x_q: Array, w_q: Array) -> Array:
    """The sum of the raw input bytes that meet the weights of one output channel."""
    return exact_sums(x_q, np.ones_like(w_q))


@stage("centre", output="acc int32 [C]", formula="acc[c] = dot[c] − x_zp·w_sum[c]")
def centre_sum(dot: Array, x_zp: Array, w_sum: Array) -> Array:
    """Take the input's zero point off the sum, since the kernel multiplied the raw bytes.

    The sum of the weights is exact, so what a pair lost by saturation stays lost.
    """
    return wrapped_sum(dot, -np.int64(x_zp) * w_sum)


@stage(
    "centre",
    output="acc int32 [C]",
    formula="acc[c] = dot[c] − x_zp·w_sum[c] − w_zp[c]·x_sum[c]",
)
def centre_sums(dot: Array, x_zp: Array, w_sum: Array, w_zp: Array, x_sum: Array) -> Array:
    """Take both zero points off the sum, since the kernel multiplied the raw bytes.

    The sums of the weights and of the inputs are exact, so what a pair lost by saturation stays
    lost.
    """
    return wrapped_sum(dot, -np.int64(x_zp) * w_sum - np.int64(w_zp) * x_sum)


@cache
def _block(size: int) -> Stage:
    @stage("block", output="block int32", formula=f"block = {size}", constant=True)
    def block() -> Array:
        """After how many inputs the kernel starts its pairs anew."""
        return np.array(size, np.int32)

    return block


def products(kernel: Kernel, *, weight_zero_points: bool) -> tuple[Stage, ...]:
    """The stages from the bytes to `acc`."""
    if kernel.accumulator == "exact":
        return (centre, mac_centred if weight_zero_points else mac)
    pairs = (_block(kernel.block), mac_pairs_blocked) if kernel.block else (mac_pairs,)
    if weight_zero_points:
        return (*pairs, weight_sum_centred, input_sum, centre_sums)
    if kernel.skips_padding:
        return (_block(kernel.block), mac_pairs_inside, weight_sum_inside, centre_sum)
    return (*pairs, weight_sum, centre_sum)


def never_cut(x: Array, w: Array) -> bool:
    """Whether no two products of one output leave int16 together, in whatever order a kernel pairs
    them. Shapes as in `exact_sums`."""
    groups, weights = in_groups(x, w)
    two = 2 * max(-int(x.min(initial=0)), int(x.max(initial=0)))
    if w.shape[-1] < 2 or two * largest(w) <= INT16[1]:  # noqa: PLR2004 - a pair
        return True
    room = max(1, PORTION // max(1, weights.shape[1] * weights.shape[2]))
    for rows, own in zip(groups, weights, strict=True):
        for start in range(0, rows.shape[0], room):
            parts = i32(rows[start : start + room])[:, None] * i32(own)[None]
            ends = np.partition(parts, (1, parts.shape[-1] - 2), axis=-1)
            if ends[..., -2:].sum(axis=-1).max(initial=0) > INT16[1]:
                return False
            if ends[..., :2].sum(axis=-1).min(initial=0) < INT16[0]:
                return False
    return True
