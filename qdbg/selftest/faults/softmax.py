"""Wrong rules of softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64, i64
from qdbg.ops import softmax as op
from qdbg.selftest.faults import Fault, computing

COMMON, QNNPACK = ("fbgemm", "x86", "onednn"), ("qnnpack",)


def _stage(name: str, attribute: str, function: Any, engines: tuple[str, ...]) -> Fault:
    wrong = computing(getattr(op, attribute), function)
    return Fault(f"softmax: {name}", "softmax", ((op, attribute, wrong),), engines)


FAULTS = (
    _stage(
        "the largest value stays in",
        "exponential",
        lambda d, top: f32(np.exp(f64(np.minimum(d, 80)))),
        COMMON,
    ),
    _stage(
        "the sum leaves the first out",
        "total_lanes",
        lambda e, dim: f32(e.sum(axis=int(dim), keepdims=True) - np.take(e, [0], int(dim)) / 2),
        COMMON,
    ),
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
