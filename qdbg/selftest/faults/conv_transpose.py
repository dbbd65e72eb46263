"""Wrong rules of transposed convolutions and of Linear with a fused function."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64
from qdbg.core.op import Kernel
from qdbg.core.quantity import Array
from qdbg.core.stage import Values
from qdbg.ops import (
    _fbgemm,
    _products,
    _qnnpack,
    _windows,
    conv_transpose,
    linear_leaky_relu,
    linear_tanh,
)
from qdbg.selftest.faults import Fault, computing
from qdbg.selftest.faults._wrong import downward_32, half_away_32, product_64
from qdbg.selftest.faults.conv import channels_first, flipped, interleaved

FBGEMM, ONEDNN, QNNPACK = ("fbgemm",), ("onednn",), ("qnnpack",)
REACHED, KERNEL = conv_transpose.reached, conv_transpose._fbgemm


def _rule(
    name: str, attribute: str, wrong: Any, case: str = "conv_transpose2d", **where: Any
) -> Fault:
    return Fault(f"{case}: {name}", case, ((conv_transpose, attribute, wrong),), **where)


def _order(name: str, wrong: Any, **where: Any) -> Fault:
    changes = ((_windows, "in_k_order", wrong),)
    return Fault(f"conv_transpose2d: {name}", "conv_transpose2d", changes, **where)


def _stage(
    name: str,
    module: ModuleType,
    attribute: str,
    function: Any,
    case: str = "conv_transpose2d",
    **where: Any,
) -> Fault:
    wrong = computing(getattr(module, attribute), function)
    return Fault(f"{case}: {name}", case, ((module, attribute, wrong),), **where)


def filled_with_zeros(x: Array, numbers: dict[str, tuple[int, ...]], fill: int) -> Array:
    """Gaps that stand for the byte 0."""
    del fill
    return REACHED(x, numbers, 0)


def one_pixel_late(x: Array, numbers: dict[str, tuple[int, ...]], fill: int) -> Array:
    """Every result one pixel further on."""
    return np.roll(REACHED(x, numbers, fill), 1, axis=2)


def exact(values: Values, exact: bool, why: str) -> Kernel:
    """Sums without loss."""
    return replace(KERNEL(values, exact, why), accumulator="exact")


def pairs(values: Values, exact: bool, why: str) -> Kernel:
    """Sums in saturating pairs."""
    return replace(KERNEL(values, exact, why), accumulator="pairs")


FAULTS = (
    _rule("turns the kernel round", "windows", flipped, engines=(*FBGEMM, *QNNPACK)),
    _rule("fills gaps with the byte 0", "reached", filled_with_zeros, engines=(*FBGEMM, *QNNPACK)),
    _rule("is one pixel late", "reached", one_pixel_late, "conv_transpose1d", engines=QNNPACK),
    _order("interleaves the groups", interleaved, engines=(*FBGEMM, *QNNPACK)),
    _order("takes the channels first", channels_first, engines=(*FBGEMM, *QNNPACK)),
    _rule(
        "adds exactly where pairs saturate",
        "_fbgemm",
        exact,
        engines=FBGEMM,
        levels=("avx2", "avx512"),
    ),
    _rule(
        "saturates pairs where sums are exact", "_fbgemm", pairs, engines=FBGEMM, levels=("vnni",)
    ),
    Fault(
        "conv_transpose3d: rounds half away",
        "conv_transpose3d",
        ((_fbgemm, "rne32", half_away_32),),
        engines=FBGEMM,
    ),
    Fault(
        "conv_transpose1d: does not round the bias",
        "conv_transpose1d",
        ((_qnnpack, "rne32", downward_32),),
        engines=QNNPACK,
    ),
    _stage(
        "forgets the output's zero point",
        _fbgemm,
        "add_zero_point",
        lambda r, y_zp: r,
        engines=FBGEMM,
    ),
    _stage(
        "forgets the zero point of the sum",
        _products,
        "centre_sum",
        lambda dot, x_zp, w_sum: dot,
        engines=FBGEMM,
        levels=("avx2", "avx512"),
    ),
    _stage(
        "forgets the zero point of the weights",
        _products,
        "mac_centred",
        lambda x_c, w_q, w_zp: _products.mac.compute(x_c, w_q),
        engines=QNNPACK,
    ),
    _stage(
        "wraps what leaves the range",
        _fbgemm,
        "clamp",
        lambda z, qmin, qmax: z % 256,
        engines=FBGEMM,
    ),
    _stage(
        "rounds the bias",
        _fbgemm,
        "fbgemm_bias_per_tensor",
        lambda acc, b, a: f32(f64(acc) + np.rint(f64(b) / a)),
        engines=FBGEMM,
    ),
    Fault(
        "conv_transpose2d: rounds half away",
        "conv_transpose2d",
        ((_fbgemm, "rne32", half_away_32),),
        engines=QNNPACK,
    ),
    Fault(
        "conv_transpose2d: multiplies in float64",
        "conv_transpose2d",
        ((_qnnpack, "mul32", product_64),),
        engines=QNNPACK,
    ),
    _stage(
        "forgets the slope",
        linear_leaky_relu,
        "leaky",
        lambda v, slope: np.maximum(v, 0),
        "linear_leaky_relu",
        engines=ONEDNN,
    ),
    _stage(
        "multiplies every value by the slope",
        linear_leaky_relu,
        "leaky",
        lambda v, slope: f32(f64(v) * slope),
        "linear_leaky_relu",
        engines=ONEDNN,
    ),
    _stage(
        "takes another curve",
        linear_tanh,
        "tanh",
        lambda v: f32(f64(v) / (1 + np.abs(f64(v)))),
        "linear_tanh",
        engines=ONEDNN,
    ),
)
