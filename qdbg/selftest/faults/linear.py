"""Wrong rules of Linear, of the quantizer and of ReLU."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from qdbg.core import pairs
from qdbg.core.arithmetic import f32, f64
from qdbg.core.op import Kernel
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Values
from qdbg.ops import _fbgemm, _onednn, _products, _qnnpack, linear
from qdbg.selftest.faults import Fault, computing
from qdbg.selftest.faults._wrong import downward, half_away_32, product_64, two_roundings

FBGEMM, ONEDNN, QNNPACK = ("fbgemm", "x86"), ("onednn",), ("qnnpack",)
PAIRS, EXACT = ("avx2", "avx512"), ("vnni",)
CHOOSE = linear.choose


def with_kernel(**changes: Any) -> Any:
    """Another choice of kernel for Linear."""

    def kernel(arithmetic: Arithmetic, values: Values) -> Kernel:
        return replace(CHOOSE(arithmetic, values), **changes)

    return kernel


def shifted_pairs(size: int, block: int) -> tuple[Array, Array, Array]:
    """Pairs that start at the second input."""
    del block
    first = np.arange(-1, size, 2).clip(0)
    second = np.arange(0, size + 1, 2)[: len(first)]
    has_second = (second > first) & (second < size)
    return first, np.where(has_second, second, first), has_second


def stage_fault(
    name: str, module: ModuleType, attribute: str, function: Any, **where: Any
) -> Fault:
    """Another arithmetic behind one stage."""
    wrong = computing(getattr(module, attribute), function)
    return Fault(name, "linear", ((module, attribute, wrong),), **where)


def fault(name: str, module: ModuleType, attribute: str, wrong: Any, **where: Any) -> Fault:
    """Another function in place of one that a module uses."""
    return Fault(name, "linear", ((module, attribute, wrong),), **where)


FAULTS = (
    fault(
        "linear adds exactly where pairs saturate",
        linear,
        "choose",
        with_kernel(accumulator="exact"),
        engines=(*FBGEMM, *ONEDNN),
        levels=PAIRS,
    ),
    fault(
        "linear saturates pairs where sums are exact",
        linear,
        "choose",
        with_kernel(accumulator="pairs"),
        levels=EXACT,
    ),
    fault(
        "linear does not start pairs anew in blocks",
        linear,
        "choose",
        with_kernel(block=0),
        engines=ONEDNN,
        levels=("avx2",),
    ),
    fault(
        "linear starts pairs at the second input",
        pairs,
        "pair_members",
        shifted_pairs,
        engines=(*FBGEMM, *ONEDNN),
        levels=PAIRS,
    ),
    fault("fbgemm rounds half away", _fbgemm, "rne32", half_away_32, engines=FBGEMM),
    stage_fault(
        "fbgemm rounds the bias",
        _fbgemm,
        "fbgemm_bias",
        lambda acc, b, a: f32(f64(acc) + np.rint(f64(b) / a)),
        engines=FBGEMM,
    ),
    fault(
        "fbgemm adds the bias with two roundings", _fbgemm, "fma32", two_roundings, engines=FBGEMM
    ),
    fault("fbgemm multiplies in float64", _fbgemm, "mul32", product_64, engines=FBGEMM),
    stage_fault(
        "fbgemm multiplies by the reciprocal of the output's scale",
        _fbgemm,
        "fbgemm_multiplier",
        lambda a, y_scale: f32(f64(a) * f32(1 / f64(f32(y_scale)))),
        engines=FBGEMM,
    ),
    stage_fault(
        "the zero point of the sum is forgotten",
        _products,
        "centre_sum",
        lambda dot, x_zp, w_sum: dot,
        engines=(*FBGEMM, *ONEDNN),
        levels=PAIRS,
    ),
    stage_fault(
        "the zero point of the input is forgotten",
        _products,
        "centre",
        lambda x_q, x_zp: x_q.astype(np.int32),
        levels=EXACT,
    ),
    stage_fault(
        "the zero point of the weights is forgotten",
        _products,
        "mac_centred",
        lambda x_c, w_q, w_zp: _products.mac.compute(x_c, w_q),
        engines=(*FBGEMM, *QNNPACK),
        levels=EXACT,
    ),
    stage_fault(
        "the output's zero point is forgotten",
        _fbgemm,
        "add_zero_point",
        lambda r, y_zp: r,
        engines=FBGEMM,
    ),
    stage_fault("the clamp wraps", _fbgemm, "clamp", lambda z, qmin, qmax: z % 256, engines=FBGEMM),
    stage_fault(
        "the fused relu clamps at 0",
        _fbgemm,
        "relu_clamp",
        lambda z, y_zp, qmax: np.clip(z, 0, qmax),
        engines=FBGEMM,
    ),
    fault("qnnpack does not round the bias", _qnnpack, "rne", downward, engines=QNNPACK),
    fault("qnnpack multiplies in float64", _qnnpack, "mul32", product_64, engines=QNNPACK),
    fault("qnnpack rounds half away", _fbgemm, "rne32", half_away_32, engines=QNNPACK),
    stage_fault(
        "qnnpack divides by the output's scale",
        _qnnpack,
        "qnnpack_multiplier",
        lambda w_scale, x_scale, y_scale: f32(
            f64(f32(f64(f32(w_scale)) * f32(x_scale))) / f64(f32(y_scale))
        ),
        engines=QNNPACK,
    ),
    stage_fault(
        "qnnpack forgets the output's zero point",
        _qnnpack,
        "add_zero_point",
        lambda r, y_zp: r,
        engines=QNNPACK,
    ),
    stage_fault(
        "qnnpack's clamp wraps",
        _qnnpack,
        "clamp",
        lambda z, qmin, qmax: z % 256,
        engines=QNNPACK,
    ),
    stage_fault(
        "qnnpack's fused relu clamps at 0",
        _qnnpack,
        "relu_clamp",
        lambda z, y_zp, qmax: np.clip(z, 0, qmax),
        engines=QNNPACK,
    ),
    fault("onednn rounds half away", _onednn, "rne32", half_away_32, engines=ONEDNN),
    fault("onednn multiplies in float64", _onednn, "mul32", product_64, engines=ONEDNN),
    stage_fault(
        "onednn rounds the bias",
        _onednn,
        "onednn_bias",
        lambda d, b: f32(f64(d) + np.rint(f64(b))),
        engines=ONEDNN,
    ),
    stage_fault(
        "onednn's clamp wraps",
        _onednn,
        "onednn_clamp",
        lambda z, qmin, qmax: z % 256,
        engines=ONEDNN,
    ),
    stage_fault(
        "onednn adds the zero point after rounding",
        _onednn,
        "onednn_zero_point",
        lambda s, y_zp: np.rint(s) + y_zp,
        engines=ONEDNN,
    ),
    fault(
        "onednn multiplies in the order of AVX2",
        _onednn,
        "onednn_dequantize",
        _onednn.onednn_dequantize_avx2,
        engines=ONEDNN,
        levels=("avx512", "vnni"),
    ),
    fault(
        "onednn multiplies in the order of VNNI",
        _onednn,
        "onednn_dequantize_avx2",
        _onednn.onednn_dequantize,
        engines=ONEDNN,
        levels=("avx2",),
    ),
    stage_fault(
        "onednn takes the weights' scale as it is",
        _onednn,
        "onednn_weight_scale",
        f32,
        engines=ONEDNN,
    ),
    stage_fault(
        "onednn multiplies by the plain reciprocal of the output's scale",
        _onednn,
        "onednn_multiplier",
        lambda y_scale: f32(1 / f64(f32(y_scale))),
        engines=ONEDNN,
    ),
)
