"""Wrong rules of element-wise activations."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from qdbg.core.arithmetic import exp32, expm1_32, f32, f64, i32, tanh32
from qdbg.core.quantity import Array
from qdbg.ops import (
    _elementwise,
    _lanes,
    clamp,
    elu,
    gelu,
    hardsigmoid,
    hardswish,
    leaky_relu,
    prelu,
    relu,
    sigmoid,
    tanh,
    threshold,
)
from qdbg.selftest.faults import FIRST, Fault, computing
from qdbg.selftest.faults._wrong import half_away, half_away_32, two_roundings

COMMON, QNNPACK = ("fbgemm", "x86", "onednn"), ("qnnpack",)
LANES = _lanes.block_lanes


def _rule(
    name: str,
    module: ModuleType,
    attribute: str,
    wrong: Any,
    case: str = "leaky_relu",
    engines: tuple[str, ...] = (*COMMON, *QNNPACK),
) -> Fault:
    return Fault(f"{case}: {name}", case, ((module, attribute, wrong),), engines)


def _stage(
    name: str,
    module: ModuleType,
    attribute: str,
    function: Any,
    case: str,
    engines: tuple[str, ...] = (*COMMON, *QNNPACK),
) -> Fault:
    wrong = computing(getattr(module, attribute), function)
    return _rule(name, module, attribute, wrong, case, engines)


def all_tail(*found: Any) -> Any:
    """No element lies in a whole block."""
    return LANES(*found) & False


def all_block(*found: Any) -> Any:
    """Every element lies in a whole block."""
    return LANES(*found) | True


def _erf_64(d: Array, block: Array) -> Array:
    del block
    return gelu.gelu_tail.compute(d)


def _tanh_64(d: Array, block: Array) -> Array:
    del block
    return gelu.gelu_tanh_tail.compute(d)


FAULTS = (
    _rule("every element is left over", _elementwise, "block_lanes", all_tail),
    _rule("every element lies in a block", _elementwise, "block_lanes", all_block),
    _rule("blocks are one vector long", _lanes, "BLOCK", 32),
    _rule("the fused product rounds twice", _elementwise, "fma32", two_roundings),
    _rule("blocks round half away", _elementwise, "rne32", half_away_32),
    _rule("what is left over rounds half away", _elementwise, "rne", half_away),
    _rule("divides by the scale", _elementwise, "reciprocal", _elementwise.reciprocal_double),
    _rule("nothing is rounded to float32", _elementwise, "f32", f64),
    _stage(
        "the zero point is added after rounding",
        hardswish,
        "table_quantize",
        lambda u, inv, y_zp: (np.rint(f64(u) * inv) + y_zp).astype(np.int64),
        "hardswish",
        QNNPACK,
    ),
    _rule("half away in the table", tanh, "rne", half_away, "tanh", QNNPACK),
    _rule("half away in the table", hardsigmoid, "rne", half_away, "hardsigmoid", QNNPACK),
    _stage(
        "the bend goes below −alpha",
        elu,
        "elu",
        lambda d, in_scale, alpha, out_scale, block: np.where(d > 0, d, d * alpha),
        "elu",
    ),
    _stage(
        "alpha is forgotten",
        elu,
        "elu",
        lambda d, in_scale, alpha, out_scale, block: elu.elu_tail.compute(
            d, in_scale, np.array(1.0), out_scale
        ),
        "celu",
    ),
    _rule(
        "the vector exponential is right to half a unit",
        sigmoid,
        "exp_vector",
        exp32,
        "sigmoid",
        COMMON,
    ),
    _rule("the vector tanh is right to half a unit", tanh, "tanh_vector", tanh32, "tanh", COMMON),
    _rule("the vector exponential is right to half a unit", elu, "expm1_vector", expm1_32, "elu"),
    _rule("the vector exponential is right to half a unit", elu, "expm1_vector", expm1_32, "celu"),
    _stage("the vector function is computed in float64", gelu, "ERF", _erf_64, "gelu"),
    _stage("the vector tangent is computed in float64", gelu, "TANH", _tanh_64, "gelu"),
    _stage("tanh's approximation is taken always", gelu, "ERF", gelu.TANH.compute, "gelu"),
    _stage(
        "a value on the threshold stays",
        threshold,
        "exceed",
        lambda d, threshold, value: np.where(d >= f32(threshold), d, f32(value)),
        "threshold",
    ),
    _rule("bounds round half away", clamp, "rne", half_away, "clamp"),
    *(
        replace(
            _rule("the zero point is added before rounding", module, "ROUNDED", "", case),
            only=FIRST,
        )
        for case, module in (
            ("leaky_relu", _elementwise),
            ("clamp", clamp),
            ("prelu", prelu),
        )
    ),
    _stage(
        "no lower bound",
        clamp,
        "between",
        lambda x_q, low, high: np.minimum(i32(x_q), high),
        "clamp",
    ),
    _stage("at 0", relu, "relu", lambda x_q, x_zp: np.maximum(x_q, 0), "relu"),
    _rule("the slope 1 rounds half away", prelu, "rne", half_away, "prelu"),
    _stage(
        "the slope is not taken in float32",
        leaky_relu,
        "leaky",
        lambda d, slope: np.where(d > 0, d, f64(d) * slope),
        "leaky_relu",
    ),
)
