"""Sums of products: without loss by the float32 matrix library, or in pairs that saturate.

Shapes are those of every function here: x is [n, K] and w [C, K]; or with groups of channels x is
[n, …, groups, K], where each group of C / groups output channels takes its own K inputs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qdbg.core.arithmetic import INT16, INT32, cut_sides, i32, sat16
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
    total = np.zeros((rows.shape[1], w.shape[0]), whole)
    for start, end in zip(edges, edges[1:], strict=False):
        total += add_up(rows[..., start:end], weights[..., start:end]).astype(whole)
    return total.reshape(*result_shape(x), w.shape[0])


def _matrix_sums(rows: Array, weights: Array) -> Array:
    """[n, C] by one matrix product for each group."""
    if len(rows) == 1:
        return np.asarray(rows[0] @ weights[0].T)
    sums = np.matmul(rows, weights.swapaxes(1, 2)).swapaxes(0, 1)
    return sums.reshape(len(sums), weights.shape[0] * weights.shape[1])


def _sums_of_one(rows: Array, weights: Array) -> Array:
    """[n, C] where each group has one output channel: one product at a time, for all of them."""
    total = rows[..., 0].T * weights[:, 0, 0]
    for k in range(1, rows.shape[-1]):
        total += rows[..., k].T * weights[:, 0, k]
    return total


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
    flat = totals.reshape(-1, w.shape[0])
    for rows, pairs, starts in suspect_pairs(x, w, block):
        flat[rows] -= np.add.reduceat(pairs - sat16(pairs), starts, axis=0)
    return totals


def cut_pairs(x: Array, w: Array, block: int) -> Array:
    """Where pairs leave int16, per output, as `cut_sides` codes it: int8 [n, …, C]."""
    above, below = (np.zeros((*result_shape(x), w.shape[0]), dtype=bool) for _ in range(2))
    for rows, pairs, starts in suspect_pairs(x, w, block):
        for side, leaves in ((above, pairs > INT16[1]), (below, pairs < INT16[0])):
            found = np.logical_or.reduceat(leaves, starts, axis=0)
            side.reshape(-1, w.shape[0])[rows] |= found
    return cut_sides(above, below)


def suspect_pairs(x: Array, w: Array, block: int) -> Iterator[tuple[Array, Array, Array]]:
    """The pairs that may leave int16, in portions: rows, sums [m, C] of one pair each before
    saturation, and where in them each row's own begin. No row occurs twice in a portion.

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
        yield from _of_one_group(rows[0], w, members, reach)
    else:
        yield from _of_groups(rows, weights, members, reach)


def _of_one_group(
    x: Array, w: Array, members: tuple[Array, Array, Array], reach: int
) -> Iterator[tuple[Array, Array, Array]]:
    """Of x [n, K] and w [C, K]: each place in the rows where a pair reaches far, with all C."""
    first, second, has_second = members
    places = np.flatnonzero(_pair_sizes(x, first, second) > reach)
    room = max(1, PORTION // len(w))
    for start in range(0, places.size, room):
        row, pair = np.divmod(places[start : start + room], first.size)
        used, at = np.unique(pair, return_inverse=True)
        head = _narrow(w[:, first[used]].T, x)
        tail = _narrow(w[:, second[used]].T * has_second[used, None], x)
        a, b = (_narrow(x[row, k[pair], None], x) for k in (first, second))
        pairs = np.add(a * head[at], b * tail[at], dtype=np.int32)
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        yield row[starts], pairs, starts


def _of_groups(
    rows: Array, weights: Array, members: tuple[Array, Array, Array], reach: int
) -> Iterator[tuple[Array, Array, Array]]:
    """Of x [groups, n, K] and w [groups, C / groups, K]: pair after pair, the rows in which it
    reaches far in some group."""
    room = max(1, PORTION // weights[..., 0].size)
    for first, second, has_second in zip(*members, strict=True):
        a, b = rows[..., first].T, rows[..., second].T
        found = np.flatnonzero((_sizes(a) + _sizes(b) > reach).any(axis=1))
        head, tail = weights[..., first], weights[..., second] * has_second
        for start in range(0, found.size, room):
            row = found[start : start + room]
            left = _narrow(a[row, :, None], a) * _narrow(head, a)
            right = _narrow(b[row, :, None], b) * _narrow(tail, b)
            pairs = np.add(left, right, dtype=np.int32).reshape(row.size, -1)
            yield row, pairs, np.arange(row.size)


def _narrow(numbers: Array, x: Array) -> Array:
    """Contiguous, in int16 where x has bytes: 255·128 still fits."""
    return np.ascontiguousarray(numbers, np.int16 if x.dtype.itemsize == 1 else np.int32)


def _sizes(x: Array) -> Array:
    """|x|, wide enough for the sum of two."""
    return x.astype(np.uint16) if x.dtype == np.uint8 else np.abs(i32(x))


def _pair_sizes(x: Array, first: Array, second: Array) -> Array:
    """|x₁| + |x₂| of each pair: [n, pairs]."""
    if x.dtype != np.uint8 or first.size * 2 != x.shape[-1] or np.any(first % 2):
        return _sizes(x[:, first]) + _sizes(x[:, second])
    both = np.ascontiguousarray(x).view(np.uint16)  # neighbours: both bytes at once
    return np.asarray((both & 255) + (both >> 8))
