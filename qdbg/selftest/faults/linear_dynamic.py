"""Wrong rules of dynamic Linear."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64
from qdbg.ops import linear_dynamic as op
from qdbg.ops import quantize
from qdbg.selftest.faults import FIRST, FUSED, Fault, computing
from qdbg.selftest.faults._wrong import half_away, half_away_32, two_roundings

FBGEMM, ONEDNN, QNNPACK = ("fbgemm", "x86"), ("onednn",), ("qnnpack",)


def _stage(name: str, attribute: str, function: Any, **where: Any) -> Fault:
    wrong = computing(getattr(op, attribute), function)
    return Fault(f"dynamic: {name}", "linear_dynamic", ((op, attribute, wrong),), **where)


def _rule(name: str, attribute: str, wrong: Any, **where: Any) -> Fault:
    return Fault(f"dynamic: {name}", "linear_dynamic", ((op, attribute, wrong),), **where)


def _whole(x_max: Any, x_min: Any, top: Any) -> Any:
    return (f64(x_max) - f64(x_min)) / 255


def _divided(x: Any, x_scale: Any, x_zp: Any) -> Any:
    return np.clip(np.rint(f64(x) / x_scale) + x_zp, 0, 255).astype(np.int32)


FAULTS = (
    Fault(
        "dynamic: rounds half away",
        "linear_dynamic",
        ((op, "rne", half_away), (quantize, "rne32", half_away_32)),
    ),
    _rule("quantizes with two roundings", "fma32", two_roundings, engines=FBGEMM),
    _stage("the range leaves out 0", "smallest", lambda x: f32(np.min(x))),
    _stage("the range's top leaves out 0", "largest", lambda x: f32(np.max(x))),
    _stage("ignores the reduced range", "input_scale", _whole, engines=(*FBGEMM, *ONEDNN)),
    _stage(
        "allows any small scale",
        "input_scale",
        lambda x_max, x_min, top: (f64(x_max) - f64(x_min)) / f64(top) or f64(0.1),
    ),
    _stage("honours the reduced range", "whole_range", lambda: np.array(127), engines=QNNPACK),
    _stage("divides by the scale", "quantize_fused", _divided, engines=FBGEMM),
    _stage("qnnpack divides by the scale", "quantize_fused", _divided, engines=QNNPACK, only=FUSED),
    _stage(
        "qnnpack divides by the scale and rounds",
        "quantize_first",
        _divided,
        engines=QNNPACK,
        only=FIRST,
    ),
    _rule(
        "qnnpack adds the zero point before rounding", "ROUNDED", "", engines=QNNPACK, only=FIRST
    ),
    _stage(
        "adds the bias with two roundings",
        "dequantize_fused",
        op.dequantize_twice.compute,
        engines=FBGEMM,
    ),
    _stage(
        "adds the bias with one rounding",
        "dequantize_twice",
        op.dequantize_fused.compute,
        engines=QNNPACK,
    ),
    _stage(
        "the unit is not rounded",
        "unit",
        lambda x_scale, w_scale: x_scale * w_scale,
        engines=FBGEMM,
    ),
    _stage("forgets relu", "float_relu", lambda y: y),
)
