"""Pairs of products that saturate: x86 without VNNI adds uint8·int8 products two by two in int16.

Shapes are those of `core.sums`: x is [n, K] and w [C, K]; or with groups of channels x is
[n, …, groups, K], where each group of C / groups output channels takes its own K inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from qdbg.core.arithmetic import BYTE, INT16, cut_sides, i32, sat16
from qdbg.core.quantity import Array, memory_order
from qdbg.core.sums import CACHED, exact_sums, in_groups, result_shape

PORTION = 2**18
"""How many sums of pairs are looked at in one go: it bounds the memory."""
CROWD = 8
"""From one pair in so many on it is quicker to look at all of them."""
RARE = 128
"""Up to one large byte in so many it is quicker to look beside each of them than at all pairs."""
Members: TypeAlias = tuple[Array, Array, Array]
"""Of pairs: first k, second k, and whether the second exists."""
Far: TypeAlias = tuple[Array, Array, Array]
"""Pairs of single rows: group, row and number of the pair."""
STRETCH = 1024
"""So many bytes are looked at in one go."""


@lru_cache(maxsize=256)
def pair_members(size: int, block: int) -> Members:
    """first k, second k and whether the second exists, per pair.

    Pairs start anew after every `block` inputs; 0 stands for one block. A pair at the end of a
    block may have one member.
    """
    step = block or max(1, size)
    starts = [np.arange(a, min(a + step, size), 2) for a in range(0, size, step)]
    first = np.concatenate(starts or [np.arange(0)])
    ends = np.minimum(first // step * step + step, size)
    has_second = first + 1 < ends
    found = first, np.where(has_second, first + 1, first), has_second
    for part in found:
        part.flags.writeable = False
    return found


def saturating_pair_sums(x: Array, w: Array, block: int) -> Array:
    """Σᵢ sat16(pair i) of bytes x and w: int32 or int64 [n, …, C]. Exact sums, less the excess of
    each pair that leaves int16."""
    totals = exact_sums(x, w)
    flat = totals.reshape(-1)
    for places, pairs in leaving_pairs(x, w, block):
        np.subtract.at(flat, places, (pairs - sat16(pairs)).astype(totals.dtype, copy=False))
    return totals


def cut_pairs(x: Array, w: Array, block: int) -> Array:
    """Where pairs leave int16, per output, as `cut_sides` codes it: int8 [n, …, C]."""
    above, below = (np.zeros((*result_shape(x), w.shape[0]), dtype=bool) for _ in range(2))
    for places, pairs in leaving_pairs(x, w, block):
        above.reshape(-1)[places[pairs > 0]] = True
        below.reshape(-1)[places[pairs < 0]] = True
    return cut_sides(above, below)


def leaving_pairs(x: Array, w: Array, block: int) -> Iterator[tuple[Array, Array]]:
    """Each pair whose sum leaves int16: the place of its output in the flat result and the sum, in
    portions. What is said below holds where x has bytes from 0 to 255 and w from −128 to 127;
    other numbers, which no kernel multiplies and a golden model may, are looked at one by one.

    Most pairs are settled without their weights: two bytes that add up to 255 at most fit
    whatever their weights are, since |x₁·w₁ + x₂·w₂| ≤ (x₁ + x₂)·128 and 255·128 = 32640.
    """
    if not x.size or not w.size:
        return
    members = pair_members(x.shape[-1], int(block))
    if not _are_bytes(x, 0, BYTE) or not _are_bytes(w, -128, 127):
        yield from _of_any_size(*in_groups(x, w), members)
        return
    if 2 * int(x.max()) <= BYTE:
        return
    rows, weights = in_groups(x.astype(np.uint8, copy=False), w)
    far = _beside_large(rows, members)
    if far is not None:
        yield from _of_few(rows, weights, members, far)
        return
    if len(weights) > 1:
        yield from _in_groups(rows, weights, members)
        return
    room = max(1, PORTION // len(w))
    for start in range(0, rows.shape[1], room):
        portion = rows[:, start : start + room]
        far = _far_pairs(portion[0], members)
        found = (
            _in_all_rows(portion[0], w, members)
            if far is None
            else _of_few(portion, weights, members, far)
        )
        yield from ((places + start * len(w), pairs) for places, pairs in found)


def _are_bytes(numbers: Array, low: int, high: int) -> bool:
    known = np.dtype(np.uint8 if low == 0 else np.int8)
    return numbers.dtype == known or bool(numbers.min() >= low and numbers.max() <= high)


def _of_any_size(rows: Array, weights: Array, members: Members) -> Iterator[tuple[Array, Array]]:
    """Of x [groups, n, K] and w [groups, C / groups, K]: each pair of each output."""
    first, second, has_second = members
    groups, width = weights.shape[:2]
    room = max(1, PORTION // (width * max(1, first.size)))
    for group, (x, w) in enumerate(zip(rows, weights, strict=True)):
        own = w.astype(np.int64)
        for start in range(0, len(x), room):
            part = x[start : start + room].astype(np.int64)[:, None]
            pairs = part[..., first] * own[:, first]
            pairs += part[..., second] * (own[:, second] * has_second)
            row, channel, pair = np.nonzero((pairs > INT16[1]) | (pairs < INT16[0]))
            place = (start + row) * groups * width + group * width + channel
            yield place, pairs[row, channel, pair]


def _beside_large(rows: Array, members: Members) -> Far | None:
    """Where two bytes of x [groups, n, K] add up to more than 255, if large bytes are few: one of
    the two is above 127, and it is quicker to look beside these than at all pairs."""
    order = memory_order(rows)
    at = _large(rows.transpose(order))
    if at is None:
        return None
    place = np.unravel_index(at, [rows.shape[axis] for axis in order])
    group, row, k = (place[order.index(axis)] for axis in range(rows.ndim))
    first, second, has_second = members
    pair_of, other = np.empty(rows.shape[-1], np.intp), np.arange(rows.shape[-1])
    pair_of[second] = pair_of[first] = np.arange(first.size)
    other[first[has_second]], other[second[has_second]] = second[has_second], first[has_second]
    beside = rows[group, row, other[k]]
    twice = (beside > BYTE // 2) & (other[k] < k)
    found = np.flatnonzero((beside > BYTE - rows[group, row, k]) & (other[k] != k) & ~twice)
    return group[found], row[found], pair_of[k[found]]


def _large(x: Array) -> Array | None:
    """Where bytes are above 127, flat; None where many are. Most stretches have none, which their
    largest byte tells faster than a search."""
    flat = np.ascontiguousarray(x).reshape(-1)
    whole = flat.size // STRETCH * STRETCH
    stretches = flat[:whole].reshape(-1, STRETCH)
    near = np.flatnonzero(stretches.max(axis=1) > BYTE // 2)
    in_stretches, rest = stretches[near] > BYTE // 2, flat[whole:] > BYTE // 2
    if RARE * (np.count_nonzero(in_stretches) + np.count_nonzero(rest)) > flat.size:
        return None
    which, at = np.divmod(np.flatnonzero(in_stretches), STRETCH)
    return np.concatenate([near[which] * STRETCH + at, whole + np.flatnonzero(rest)])


def _far_pairs(x: Array, members: Members) -> Far | None:
    """Where two bytes of x [n, K] add up to more than 255; None where many do."""
    first, second, _ = members
    if _neighbours(x, first):
        both = _words(x)
        far = (both & np.uint16(BYTE)) + (both >> 8) > BYTE
    else:
        far = x[:, first] > BYTE - x[:, second]
    if CROWD * np.count_nonzero(far) > far.size:
        return None
    row, pair = np.divmod(np.flatnonzero(far), max(1, first.size))
    return np.zeros_like(row), row, pair


def _neighbours(x: Array, first: Array) -> bool:
    """Whether every two bytes of x [n, K] from the first one on are a pair."""
    return 2 * first.size == x.shape[1] and not np.any(first % 2)


def _words(x: Array) -> Array:
    """Both bytes of each pair of neighbours at once: uint16 [n, pairs]."""
    return np.ascontiguousarray(x).view(np.uint16)


def _in_all_rows(x: Array, w: Array, members: Members) -> Iterator[tuple[Array, Array]]:
    """For many pairs that reach far: each pair of each channel whose two weights can make the
    largest bytes of the pair leave int16, in all rows. Such weights have the same sign, and the
    sums of their sizes times bytes are at most 255·256: uint16 holds them."""
    first, second, has_second = members
    a: Array
    b: Array
    if _neighbours(x, first):
        both = np.ascontiguousarray(_words(x).T)
        a, b = both & np.uint16(BYTE), both >> 8
    else:
        a, b = (np.ascontiguousarray(x[:, k].T, np.uint16) for k in (first, second))
    u, v = i32(w[:, first]), w[:, second] * has_second.astype(np.int32)
    tops = (i32(each.max(axis=1)) for each in (a, b, a + b))
    channel, pair = np.divmod(np.flatnonzero(_may_leave(u, v, *tops)), max(1, first.size))
    u, v = u[channel, pair], v[channel, pair]
    sizes = (np.abs(each).astype(np.uint16) for each in (u, v, np.where(u > 0, *INT16[::-1])))
    own, other, limit = (each[:, None] for each in sizes)
    side, count = np.sign(u), np.uint32(len(x))
    room = max(1, CACHED // len(x))
    for start in range(0, channel.size, room):
        part = slice(start, start + room)
        sums = a.take(pair[part], axis=0) * own[part]
        sums += b.take(pair[part], axis=0) * other[part]
        at = np.flatnonzero(sums > limit[part]).astype(np.uint32)  # it is divided faster
        which = at // count
        row = at - which * count
        found = i32(sums.reshape(-1).take(at)) * side[part].take(which)
        yield row * np.int64(len(w)) + channel[part].take(which), found


def _may_leave(u: Array, v: Array, a: Array, b: Array, together: Array) -> Array:
    """bool: whether u·x + v·y may leave int16 where x ≤ a, y ≤ b and x + y ≤ together: it is
    furthest from 0 at one of two ends."""
    x, y = np.minimum(a, together), np.minimum(b, together)
    one = u * x + v * np.minimum(b, together - x)
    two = u * np.minimum(a, together - y) + v * y
    most, least = np.maximum(one, two), np.minimum(one, two)
    return np.asarray((most > INT16[1]) | (least < INT16[0]))


def _of_few(
    rows: Array, weights: Array, members: Members, far: Far
) -> Iterator[tuple[Array, Array]]:
    """For few pairs that reach far, here and there: each with all channels of its group."""
    first, second, has_second = members
    group, row, pair = far
    groups, width = weights.shape[:2]
    key = group * first.size + pair
    used = np.flatnonzero(np.bincount(key, minlength=groups * first.size))
    at_used = np.zeros(groups * first.size, np.intp)
    at_used[used] = np.arange(used.size)
    of, one = np.divmod(used, max(1, first.size))
    head = weights[of, :, first[one]].astype(np.int16)
    tail = weights[of, :, second[one]].astype(np.int16) * has_second[one, None]
    room = max(1, PORTION // width)
    for start in range(0, key.size, room):
        part = slice(start, start + room)
        place, own = row[part] * groups + group[part], at_used[key[part]]
        a, b = (
            rows[group[part], row[part], k[pair[part]], None].astype(np.int16)
            for k in (first, second)
        )
        at, sums = _leaving(a * head[own], b * tail[own])
        yield place[at // width] * width + at % width, sums


def _in_groups(rows: Array, weights: Array, members: Members) -> Iterator[tuple[Array, Array]]:
    """Of x [groups, n, K] and w [groups, C / groups, K]: pair after pair, in the groups whose two
    weights can make the largest bytes at these k leave int16, and there where it reaches far."""
    first, second, has_second = members
    groups, width = weights.shape[:2]
    u, v = i32(weights[..., first]), weights[..., second] * has_second.astype(np.int32)
    top = np.array([rows[..., k].max() for k in range(rows.shape[-1])], np.int32)
    most = top[first] * np.maximum(u, 0) + top[second] * np.maximum(v, 0)
    least = top[first] * np.minimum(u, 0) + top[second] * np.minimum(v, 0)
    can_leave = ((most > INT16[1]) | (least < INT16[0])).any(axis=1)
    room = max(1, PORTION // width)
    for pair in np.flatnonzero(can_leave.any(axis=0)):
        live = np.flatnonzero(can_leave[:, pair])
        x, y = (rows[..., k[pair]].T[:, live].ravel() for k in (first, second))
        found = np.flatnonzero(x > BYTE - y)
        for start in range(0, found.size, room):
            places = found[start : start + room]
            row, at_live = np.divmod(places, live.size)
            group = live[at_live]
            left = x[places, None] * u[group, :, pair].astype(np.int16)
            right = y[places, None] * v[group, :, pair].astype(np.int16)
            at, sums = _leaving(left, right)
            yield (row * groups + group)[at // width] * width + at % width, sums


def _leaving(left: Array, right: Array) -> tuple[Array, Array]:
    """Where the sum of two int16 numbers leaves int16, flat, and the sum. A product of two bytes
    fits into int16; where a sum does not, it comes out with a sign that neither part has."""
    total = left + right
    found = np.flatnonzero(((left ^ total) & (right ^ total)) < 0)
    return found, i32(left.ravel()[found]) + right.ravel()[found]
