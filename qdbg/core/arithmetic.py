"""The primitives of the kernels' arithmetic, each written once, and the presets that combine them.

Nothing else in qdbg rounds, saturates, wraps or narrows: the ops call these functions by the
names that the formulas on the screen use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qdbg.core.quantity import Array
from qdbg.names import LEVELS, TEXTBOOK

INT16 = (-(2**15), 2**15 - 1)
INT32 = (-(2**31), 2**31 - 1)
ROWS_AND_K = 2
"""The axes of inputs [n, K]; with groups of channels there are more: [n, …, groups, K]."""
PORTION = 2**24
"""How many pairs are looked at in one go: it bounds the memory."""


def f32(x: Array | float) -> Array:
    """Round to float32, half to even. A float64 operation on float32 operands, then this, is one
    float32 operation: +, −, ·, / and their double rounding agree (53 ≥ 2·24 + 2 bits)."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(x, dtype=np.float64).astype(np.float32)


def f16(x: Array) -> Array:
    """Round float32 to the 16-bit format, half to even."""
    with np.errstate(over="ignore"):
        return np.asarray(x, dtype=np.float32).astype(np.float16)


def f64(x: Array | float) -> Array:
    """Widen to float64: exact for int32 and float32."""
    return np.asarray(x, dtype=np.float64)


def exp32(x: Array) -> Array:
    """eˣ, rounded once to float32."""
    with np.errstate(over="ignore", under="ignore"):
        return f32(np.exp(f64(x)))


def expm1_32(x: Array) -> Array:
    """eˣ − 1, rounded once to float32."""
    with np.errstate(over="ignore", under="ignore"):
        return f32(np.expm1(f64(x)))


def tanh32(x: Array) -> Array:
    """The hyperbolic tangent, rounded once to float32."""
    return f32(np.tanh(f64(x)))


def neighbours(x: Array) -> tuple[Array, Array]:
    """The next float32 values below and above: a function that is right to one unit in the last
    place gives x or one of these."""
    near = np.asarray(x, np.float32)
    return np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))


def rne(x: Array) -> Array:
    """Round to the nearest integer, half to even, keeping the floating type."""
    rounded: Array = np.rint(x)
    return rounded


def rne32(x: Array) -> Array:
    """Round half to even to int32 as x86's cvtps2dq does: NaN and |x| ≥ 2³¹ give −2³¹."""
    rounded = np.rint(f64(x))
    inside = (rounded >= INT32[0]) & (rounded <= INT32[1])
    return np.where(inside, rounded, INT32[0]).astype(np.int64).astype(np.int32)


def saturate(x: Array, low: float, high: float) -> Array:
    """min(max(x, low), high), keeping the type; NaN goes to the low end, as maxps(low, x) does."""
    bounded: Array = np.minimum(np.fmax(x, low), high)
    return bounded


def at_least(x: Array, low: Array) -> Array:
    """max(x, low) on integers."""
    raised: Array = np.maximum(x, low)
    return raised


def sat16(x: Array) -> Array:
    """Saturate to int16, kept in int32."""
    return saturate(x, *INT16)


def sat32(x: Array) -> Array:
    """Saturate to int32; NaN gives −2³¹."""
    return saturate(f64(x), *INT32).astype(np.int64).astype(np.int32)


def wrap32(x: Array) -> Array:
    """Keep the lowest 32 bits, as an int32 register does."""
    return np.asarray(x, dtype=np.int64).astype(np.int32)


def i32(x: Array) -> Array:
    """Widen integers to int32: exact for uint8 and int8."""
    return np.asarray(x).astype(np.int32)


def i64(x: Array) -> Array:
    """As int64: exact for integers, and for floating numbers that are integers below 2⁶³."""
    return np.asarray(x).astype(np.int64)


def exponent(x: Array) -> Array:
    """floor(log2(x)) of positive numbers."""
    return np.asarray(np.frexp(f64(x))[1] - 1)


def odd_part(x: Array) -> float:
    """A positive number over the largest power of two that leaves it an integer: 1 for 0.25, 3 for
    0.75."""
    mantissa = int(np.ldexp(np.frexp(f64(x))[0], 53))
    return float(mantissa // (mantissa & -mantissa)) if mantissa else 1.0


def shift_half_away(x: Array, places: int) -> Array:
    """x / 2^places on integers, rounded to the nearest; a tie goes away from zero."""
    wide = np.asarray(x, dtype=np.int64)
    size = (np.abs(wide) + (1 << places >> 1)) >> places
    return np.asarray((np.sign(wide) * size).astype(np.int32))


def fma32(x: Array, y: Array | float, z: Array | float) -> Array:
    """x·y + z in float32 with a single rounding.

    The product of two float32 values is exact in float64. Their sum with z is rounded *to odd*
    there (the inexact neighbour with an odd last bit), after which rounding once more to float32
    gives what one rounding gives (Boldo and Melquiond, 2008).
    """
    product = f64(x) * f64(y)
    addend = f64(z)
    with np.errstate(over="ignore", invalid="ignore"):
        total: Array = np.asarray(product + addend)
        back = total - product
        lost = (product - (total - back)) + (addend - back)
        even: Array = (total.view(np.int64) & 1) == 0
        nudge = np.isfinite(total) & np.isfinite(lost) & (lost != 0) & even
        toward = np.where(lost > 0, np.inf, -np.inf)
        odd = np.where(nudge, np.nextafter(total, toward), total)
    return f32(odd)


def exact_sums(x: Array, w: Array) -> Array:
    """Σₖ x[…,k]·w[c,k] without loss: int64 [n, C] from integers [n, K] and [C, K]; or with groups
    of channels [n, …, C] from [n, …, groups, K] and [C, K].

    float64 BLAS is exact here: each partial sum is an integer below 2⁵³.
    """
    rows, weights = in_groups(x, w)
    sums: Array = np.matmul(f64(rows), f64(weights).swapaxes(1, 2))
    return sums.swapaxes(0, 1).reshape(*result_shape(x), w.shape[0]).astype(np.int64)


def result_shape(x: Array) -> tuple[int, ...]:
    """Of the sums, but for the channel axis: without k, and without the axis of groups."""
    return tuple(x.shape[: -1 if x.ndim == ROWS_AND_K else -2])


def in_groups(x: Array, w: Array) -> tuple[Array, Array]:
    """x as [groups, rows, K] and w as [groups, C / groups, K]."""
    groups = 1 if x.ndim == ROWS_AND_K else x.shape[-2]
    rows = x.reshape(-1, groups, x.shape[-1]).swapaxes(0, 1)
    return rows, w.reshape(groups, -1, w.shape[-1])


def pair_members(size: int, block: int) -> tuple[Array, Array, Array]:
    """first k, second k and whether the second exists, per pair.

    Pairs start anew after every `block` inputs; 0 stands for one block. A pair at the end of a
    block may have one member.
    """
    step = block or max(1, size)
    starts = [np.arange(a, min(a + step, size), 2) for a in range(0, size, step)]
    first = np.concatenate(starts or [np.arange(0)])
    ends = np.minimum(first // step * step + step, size)
    has_second = first + 1 < ends
    return first, np.where(has_second, first + 1, first), has_second


def _pair_sums(x: Array, w: Array, block: int) -> Array:
    """The sum of each pair before saturation: int32 [n, C, pairs] from [n, K] and [C, K]."""
    first, second, has_second = pair_members(x.shape[-1], block)
    x32, w32 = i32(x), i32(w)
    head = x32[:, None, first] * w32[None, :, first]
    tail = x32[:, None, second] * w32[None, :, second]
    return head + np.where(has_second, tail, 0)


def saturating_pair_sums(x: Array, w: Array, block: int) -> Array:
    """Σᵢ sat16(pair i), shapes as `exact_sums`. Exact sums, corrected by each saturating pair's
    excess.

    A pair can leave int16 only where two weights of one sign add up to 129 or more (255·128 =
    32640 fits), so that channels without such a pair need no further look.
    """
    totals = exact_sums(x, w)
    for rows, channels, pairs in _live_pairs(x, w, block):
        flat = totals.reshape(-1, w.shape[0])
        flat[rows, channels] -= (pairs - sat16(pairs)).sum(axis=-1)
    return totals


def cut_pairs(x: Array, w: Array, block: int) -> Array:
    """Where pairs leave int16, per output, as `cut_sides` codes it: int8, shape of the sums."""
    sides = np.zeros((*result_shape(x), w.shape[0]), dtype=np.int8)
    for rows, channels, pairs in _live_pairs(x, w, block):
        above = np.asarray((pairs > INT16[1]).any(axis=-1))
        below = np.asarray((pairs < INT16[0]).any(axis=-1))
        sides.reshape(-1, w.shape[0])[rows, channels] = cut_sides(above, below)
    return sides


def _live_pairs(x: Array, w: Array, block: int) -> Iterator[tuple[slice, Array, Array]]:
    """rows, channels and their pairs' sums, for the channels that can saturate, in portions."""
    groups, weights = in_groups(x, w)
    wide = weights.shape[1]
    room = max(1, PORTION // max(1, wide * weights.shape[2]))
    for group, (rows, own) in enumerate(zip(groups, weights, strict=True)):
        live = np.flatnonzero(may_saturate(own, block))
        for start in range(0, rows.shape[0] if live.size else 0, room):
            chosen = slice(start, start + room)
            yield chosen, live + group * wide, _pair_sums(rows[chosen], own[live], block)


def cut_sides(above: Array, below: Array) -> Array:
    """int8: 1 where a value was cut off from above, −1 from below, 2 from both sides, else 0."""
    sides: Array = np.where(above & below, 2, above.astype(np.int8) - below.astype(np.int8))
    return sides.astype(np.int8)


def may_saturate(w: Array, block: int) -> Array:
    """bool [C]: whether some input bytes make a pair of this channel leave int16."""
    first, second, has_second = pair_members(w.shape[-1], block)
    w32 = i32(w)
    head, tail = w32[:, first], np.where(has_second, w32[:, second], 0)
    up = np.maximum(head, 0) + np.maximum(tail, 0)
    down = np.minimum(head, 0) + np.minimum(tail, 0)
    outside = (up * 255 > INT16[1]) | (down * 255 < INT16[0])
    reaches: Array = np.asarray(outside.any(axis=-1))
    return reaches


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What one engine does on one CPU level; each field is one assumption that can be changed."""

    name: str
    """`fbgemm-avx2`, `textbook` …: what --arith takes."""
    engine: str
    """One of ENGINES, or `textbook`."""
    level: str
    """One of LEVELS; the textbook's is `vnni`, whose kernels lose nothing."""
    library: str
    """Who computes Linear: FBGEMM, oneDNN, QNNPACK; `by hand` for the textbook."""
    quantize: str
    """`fused`: the zero point is added before rounding, in one FMA; `divide`: x / scale is
    rounded first."""
    accumulator: str
    """`exact`, `pairs` (int16-saturating pairs) or `pairs-blocked` (pairs restart at oneDNN's
    blocks of K)."""
    way_back: str
    """From the accumulator to the byte: bias, multiplier, rounding and zero point in the order of
    operations of `fbgemm`, `qnnpack`, `onednn`, `onednn-avx2` or the `textbook`."""
    changes: tuple[str, ...] = ()
    """Assumptions that are changed, by the ids of hypotheses: `bias-rounded`."""


def _presets() -> dict[str, Arithmetic]:
    found = {}
    for level in LEVELS:
        exact = level == "vnni"
        flat = "exact" if exact else "pairs"
        blocked = "pairs-blocked" if level == "avx2" else flat
        order = "onednn-avx2" if level == "avx2" else "onednn"
        for engine, row in {
            "fbgemm": ("FBGEMM", "fused", flat, "fbgemm"),
            "x86": ("FBGEMM", "fused", flat, "fbgemm"),
            "onednn": ("oneDNN", "fused", blocked, order),
            "qnnpack": ("QNNPACK", "fused", "exact", "qnnpack"),
        }.items():
            found[f"{engine}-{level}"] = Arithmetic(f"{engine}-{level}", engine, level, *row)
    found[TEXTBOOK] = Arithmetic(
        TEXTBOOK, TEXTBOOK, "vnni", "by hand", "divide", "exact", "textbook"
    )
    return found


ARITHMETICS: dict[str, Arithmetic] = _presets()
"""Every arithmetic by name: each engine on each CPU level, and the textbook's."""
