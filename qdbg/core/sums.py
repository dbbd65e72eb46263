"""Sums of products: without loss by the float32 matrix library, or in pairs that saturate.

Shapes are those of every function here: x is [n, K] and w [C, K]; or with groups of channels x is
[n, …, groups, K], where each group of C / groups output channels takes its own K inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import prod

import numpy as np

from qdbg.core.arithmetic import BYTE, INT16, INT32, cut_sides, i32, sat16
from qdbg.core.quantity import Array

ROWS_AND_K = 2
"""The axes of inputs [n, K]; with groups of channels there are more: [n, …, groups, K]."""
EXACT32, EXACT64 = 2**24, 2**53
"""float32 and float64 hold every integer up to here."""
LEAST = 16
"""Fewer products than these in one float32 sum are not worth it."""
PORTION = 2**19
"""How many sums of pairs are looked at in one go: it bounds the memory."""
LARGEST = {np.dtype(np.bool_): 1, np.dtype(np.uint8): 255, np.dtype(np.int8): 128}
"""The largest size that a number of 8 bits can have."""


def exact_sums(x: Array, w: Array) -> Array:
    """Σₖ x[…,k]·w[c,k] without loss: int32 or int64 [n, …, C].

    Floating addition is exact here, in whatever order the matrix library adds: K is cut into
    stretches so short that all their products together stay below 2²⁴ in size, which makes each
    partial sum an integer that float32 holds. Products too large for that go through float64,
    whose integers reach 2⁵³.
    """
    most = max(1, largest(x) * largest(w))
    fits = most * LEAST <= EXACT32
    kind, limit = (np.float32, EXACT32) if fits else (np.float64, EXACT64)
    size = x.shape[-1]
    whole = np.int32 if most * size <= INT32[1] else np.int64
    rows, weights = (each.astype(kind, copy=False) for each in in_groups(x, w))
    add_up = _sums_of_one if weights.shape[1] == 1 < len(weights) else _matrix_sums
    count = -(-size // max(1, limit // most))
    edges = [size * i // count for i in range(count + 1)]
    stretches = [slice(start, end) for start, end in pairwise(edges)]
    total: Array = add_up(rows[..., stretches[0]], weights[..., stretches[0]]).astype(whole)
    for k in stretches[1:]:
        np.add(total, add_up(rows[..., k], weights[..., k]).astype(whole), out=total)
    shaped: Array = total.reshape(*result_shape(x), w.shape[0])
    return shaped


def _matrix_sums(rows: Array, weights: Array) -> Array:
    """[n, C] by one matrix product for each group."""
    if len(rows) == 1:
        return np.asarray(rows[0] @ weights[0].T)
    sums: Array = np.matmul(rows, weights.swapaxes(1, 2)).swapaxes(0, 1)
    return sums.reshape(len(sums), weights.shape[0] * weights.shape[1])


def _sums_of_one(rows: Array, weights: Array) -> Array:
    """[n, C] where each group has one output channel: no matrix product, but one loop for all."""
    sums: Array = np.einsum("gnk,kg->ng", rows, np.ascontiguousarray(weights[:, 0].T))
    return sums


def largest(x: Array) -> int:
    """A bound of |x|: of 8 bits the type's own, else what is there."""
    known = LARGEST.get(x.dtype)
    return known if known is not None else max(-int(x.min(initial=0)), int(x.max(initial=0)))


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


def saturating_pair_sums(x: Array, w: Array, block: int) -> Array:
    """Σᵢ sat16(pair i): int32 or int64 [n, …, C]. Exact sums, less the excess of each pair that
    leaves int16."""
    totals = exact_sums(x, w)
    flat = _by_group(totals, x)
    for places, pairs, starts in suspect_pairs(x, w, block):
        flat[places] -= np.add.reduceat(pairs - sat16(pairs), starts, axis=0)
    return totals


def cut_pairs(x: Array, w: Array, block: int) -> Array:
    """Where pairs leave int16, per output, as `cut_sides` codes it: int8 [n, …, C]."""
    above, below = (np.zeros((*result_shape(x), w.shape[0]), dtype=bool) for _ in range(2))
    for places, pairs, starts in suspect_pairs(x, w, block):
        for side, leaves in ((above, pairs > INT16[1]), (below, pairs < INT16[0])):
            _by_group(side, x)[places] |= np.logical_or.reduceat(leaves, starts, axis=0)
    return cut_sides(above, below)


def _by_group(totals: Array, x: Array) -> Array:
    """[n · groups, C / groups], the same memory."""
    groups = 1 if x.ndim == ROWS_AND_K else x.shape[-2]
    return totals.reshape(prod(totals.shape[:-1]) * groups, totals.shape[-1] // groups)


def suspect_pairs(x: Array, w: Array, block: int) -> Iterator[tuple[Array, Array, Array]]:
    """The pairs that may leave int16, in portions: places in [n · groups], each once; the sums
    [m, C / groups] of one pair each before saturation; and where in them those of a place begin.

    |x₁·w₁ + x₂·w₂| is at most |x₁ + x₂|·max |w| for inputs of one sign: two bytes that add up to
    255 fit whatever their weights are, since 255·128 = 32640. Most pairs are settled by that.
    """
    if not x.size or not w.size:
        return
    reach = INT16[1] // max(1, largest(w))
    if x.min() >= 0 and 2 * int(x.max()) <= reach:
        return
    members = pair_members(x.shape[-1], block)
    rows, weights = in_groups(x, w)
    if len(weights) == 1:
        yield from _in_rows(rows[0], w, members, reach)
    else:
        yield from _in_groups(rows, weights, members, reach)


def _in_rows(
    x: Array, w: Array, members: tuple[Array, Array, Array], reach: int
) -> Iterator[tuple[Array, Array, Array]]:
    """Of one group, x [n, K] and w [C, K]: row after row the pairs that reach far."""
    first, second, has_second = members
    found = np.flatnonzero(_far_pairs(x, first, second, reach))
    room = max(1, PORTION // len(w))
    for start in range(0, found.size, room):
        row, pair = np.divmod(found[start : start + room], first.size)
        used, at = np.unique(pair, return_inverse=True)
        head = _narrow(w[:, first[used]].T, x)[at]
        tail = _narrow(w[:, second[used]].T * has_second[used, None], x)[at]
        a, b = (_narrow(x[row, k[pair], None], x) for k in (first, second))
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        yield row[starts], _pairs(a, head, b, tail), starts


def _in_groups(
    rows: Array, weights: Array, members: tuple[Array, Array, Array], reach: int
) -> Iterator[tuple[Array, Array, Array]]:
    """Of x [groups, n, K] and w [groups, C / groups, K]: pair after pair the places where it
    reaches far."""
    room = max(1, PORTION // weights.shape[1])
    for first, second, has_second in zip(*members, strict=True):
        x, y = rows[..., first].T.ravel(), rows[..., second].T.ravel()
        far = _reach_far(x, y, reach)
        found = np.flatnonzero(far) if far.any() else np.arange(0)
        for start in range(0, found.size, room):
            places = found[start : start + room]
            group = places % len(weights)
            head = _narrow(weights[group, :, first], x)
            tail = _narrow(weights[group, :, second] * has_second, x)
            a, b = (_narrow(each[places, None], x) for each in (x, y))
            yield places, _pairs(a, head, b, tail), np.arange(places.size)


def _pairs(a: Array, head: Array, b: Array, tail: Array) -> Array:
    """a·head + b·tail in int32; the products of bytes still fit into int16: 255·128 = 32640."""
    pairs: Array = np.add(a * head, b * tail, dtype=np.int32)
    return pairs


def _narrow(numbers: Array, x: Array) -> Array:
    """Contiguous, in int16 where x has bytes."""
    return np.ascontiguousarray(numbers, np.int16 if x.dtype.itemsize == 1 else np.int32)


def _reach_far(x: Array, y: Array, reach: int) -> Array:
    """|x| + |y| > reach; for bytes without widening them."""
    if x.dtype == np.uint8 and reach == BYTE:
        return np.asarray(x > BYTE - y)
    return np.asarray(np.abs(i32(x)) + np.abs(i32(y)) > reach)


def _far_pairs(x: Array, first: Array, second: Array, reach: int) -> Array:
    """The same of each pair in the rows: bool [n, pairs]."""
    if x.dtype != np.uint8 or first.size * 2 != x.shape[-1] or np.any(first % 2):
        return _reach_far(x[:, first], x[:, second], reach)
    both = np.ascontiguousarray(x).view(np.uint16)  # neighbours: both bytes at once
    return np.asarray((both & BYTE) + (both >> 8) > reach)
