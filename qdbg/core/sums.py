"""Sums of products without loss, by the float32 matrix library.

Shapes are those of every function here: x is [n, K] and w [C, K]; or with groups of channels x is
[n, …, groups, K], where each group of C / groups output channels takes its own K inputs.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from qdbg.core.arithmetic import INT32
from qdbg.core.quantity import Array

ROWS_AND_K = 2
"""The axes of inputs [n, K]; with groups of channels there are more: [n, …, groups, K]."""
EXACT32, EXACT64 = 2**24, 2**53
"""float32 and float64 hold every integer up to here."""
LEAST = 16
"""Fewer products than these in one float32 sum are not worth it."""
CACHED = 2**16
"""How many numbers are widened in one go: they stay in the processor's cache."""
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
    rows, weights = in_groups(x, w)
    weights = weights.astype(kind, copy=False)
    if weights.shape[1] == 1 < len(weights):
        add_up = _sums_of_one
    else:
        add_up, rows = _matrix_sums, rows.astype(kind, copy=False)
    count = -(-size // max(1, limit // most))
    edges = [size * i // count for i in range(count + 1)]
    stretches = [slice(start, end) for start, end in pairwise(edges)]
    total: Array = add_up(rows[..., stretches[0]], weights[..., stretches[0]]).astype(whole)
    for k in stretches[1:]:
        np.add(total, add_up(rows[..., k], weights[..., k]).astype(whole), out=total)
    shaped: Array = total.reshape(*result_shape(x), w.shape[0])
    return shaped


def row_sums(w: Array) -> Array:
    """Σₖ w[c,k] without loss: int32 or int64 [C]."""
    narrow = w.dtype in LARGEST and LARGEST[w.dtype] * w.shape[1] <= INT32[1]
    total: Array = w.sum(axis=1, dtype=np.int32 if narrow else np.int64)
    return total


def _matrix_sums(rows: Array, weights: Array) -> Array:
    """[n, C] by one matrix product for each group."""
    if len(rows) == 1:
        return np.asarray(rows[0] @ weights[0].T)
    sums: Array = np.matmul(rows, weights.swapaxes(1, 2)).swapaxes(0, 1)
    return sums.reshape(len(sums), weights.shape[0] * weights.shape[1])


def _sums_of_one(rows: Array, weights: Array) -> Array:
    """[n, C] where each group has one output channel: no matrix product, but one loop for all."""
    by_k = np.ascontiguousarray(weights[:, 0].T)
    sums: Array = np.empty(rows.shape[1::-1], by_k.dtype)
    room = max(1, CACHED // by_k.size)
    for start in range(0, len(sums), room):
        part = rows[:, start : start + room].astype(by_k.dtype, copy=False)
        np.einsum("gnk,kg->ng", part, by_k, out=sums[start : start + room])
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
