"""Wrong rules of softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64, i64
from qdbg.core.quantity import Array
from qdbg.names import LEVELS
from qdbg.ops import softmax as op
from qdbg.selftest.faults import Fault, computing

COMMON, QNNPACK = ("fbgemm", "x86", "onednn"), ("qnnpack",)
AVX2 = ("avx2",)


def _stage(
    name: str,
    attribute: str,
    function: Any,
    engines: tuple[str, ...],
    levels: tuple[str, ...] = LEVELS,
) -> Fault:
    wrong = computing(getattr(op, attribute), function)
    return Fault(f"softmax: {name}", "softmax", ((op, attribute, wrong),), engines, levels)


def _without_half_the_first(e: Array, dim: Array) -> Array:
    return f32(e.sum(axis=int(dim), keepdims=True) - np.take(e, [0], int(dim)) / 2)


FAULTS = (
    _stage(
        "the largest value stays in",
        "exponential",
        lambda d, top: f32(np.exp(f64(np.minimum(d, 80)))),
        COMMON,
        AVX2,  # it shows in last bits alone; where they decide on other levels, nothing is claimed
    ),
    _stage("the lanes leave the first out", "total_lanes", _without_half_the_first, COMMON, AVX2),
    _stage("the sum leaves the first out", "total_any", _without_half_the_first, COMMON),
    _stage("the parts are not divided", "softmax", lambda e, total: e, COMMON),
    _stage(
        "the table is rounded down",
        "table_exponential",
        lambda size, x_q, q_top, x_scale: i64(np.floor(op._scaled(size, x_q, q_top, x_scale) / 64)),
        QNNPACK,
    ),
    _stage(
        "the division rounds down",
        "table_softmax",
        lambda t, total: 256 * t // total,
        QNNPACK,
    ),
)
