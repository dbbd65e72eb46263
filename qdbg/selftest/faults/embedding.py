"""Wrong rules of embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64, fma32
from qdbg.core.quantity import Array
from qdbg.ops import embedding
from qdbg.selftest.faults import Fault, computing
from qdbg.selftest.faults._wrong import two_roundings

ADD_ROWS = embedding.add_rows


def scale_first(w_q: Array, s: Array, b: Array, row: Array, first: Array, last: Array) -> Array:
    """Offsets added after the products."""
    total = f32(np.zeros((len(first), w_q.shape[1])))
    for bag, (start, end) in enumerate(zip(first, last, strict=True)):
        for r in row[start:end]:
            total[bag] = f32(f64(fma32(w_q[r], s[r], total[bag])) + b[r])
    return total


def backwards(w_q: Array, s: Array, b: Array, row: Array, first: Array, last: Array) -> Array:
    """Each bag from its last row to its first."""
    turned = row.copy()
    for start, end in zip(first, last, strict=True):
        turned[start:end] = row[start:end][::-1]
    return ADD_ROWS.compute(w_q, s, b, turned, first, last)


def _fault(name: str, case: str, attribute: str, wrong: Any) -> Fault:
    return Fault(name, case, ((embedding, attribute, wrong),))


def _stage(name: str, case: str, attribute: str, function: Any) -> Fault:
    stage = getattr(embedding, attribute)
    return _fault(name, case, attribute, computing(stage, function))


FAULTS = (
    _fault("embedding rounds twice", "embedding", "fma32", two_roundings),
    _fault("embedding bag rounds twice", "embedding_bag", "fma32", two_roundings),
    _fault("embedding keeps 4-bit scales in float32", "embedding", "f16", f32),
    _fault("embedding bag keeps 4-bit scales in float32", "embedding_bag", "f16", f32),
    _stage(
        "embedding forgets the zero point",
        "embedding",
        "byte_offset",
        lambda w_zp, w_scale: 0 * w_zp,
    ),
    _stage(
        "embedding rounds the zero point",
        "embedding",
        "byte_offset",
        lambda w_zp, w_scale: f32(-np.rint(f64(w_zp)) * w_scale),
    ),
    _stage(
        "embedding does not round the offset",
        "embedding",
        "byte_offset",
        lambda w_zp, w_scale: -f64(w_zp) * w_scale,
    ),
    _stage("embedding bag adds the offset last", "embedding_bag", "add_rows", scale_first),
    _stage("embedding bag adds backwards", "embedding_bag", "add_rows", backwards),
    _stage(
        "embedding takes the next row",
        "embedding",
        "look_up",
        lambda w_q, s, b, row: fma32(
            w_q[(row + 1) % len(w_q)], s[row][..., None], b[row][..., None]
        ),
    ),
    _stage(
        "embedding swaps the nibbles' sign",
        "embedding",
        "nibble_offset",
        lambda w_zp, w_scale: f32(f64(w_zp) * w_scale),
    ),
    _stage(
        "embedding bag forgets the weights",
        "embedding_bag",
        "add_weighted_rows",
        lambda w_q, s, b, row, first, last, weight: ADD_ROWS.compute(w_q, s, b, row, first, last),
    ),
)
