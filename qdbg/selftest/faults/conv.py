"""Wrong rules of convolutions: windows, order of products, choice of kernel, way back."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64
from qdbg.core.op import Kernel
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Values
from qdbg.ops import (
    _conv_kernel,
    _fbgemm,
    _onednn,
    _products,
    _qnnpack,
    _windows,
    conv,
    conv_add,
)
from qdbg.ops._windows import Geometry, in_k_order, windows
from qdbg.selftest.faults import Fault, computing
from qdbg.selftest.faults._wrong import half_away_32, product_64, two_roundings

FBGEMM, ONEDNN, QNNPACK = ("fbgemm", "x86"), ("onednn",), ("qnnpack",)
EVERY = (*FBGEMM, *ONEDNN, *QNNPACK)
PAIRS, EXACT = ("avx2", "avx512"), ("vnni",)
CHOOSE, UNIT, ADD = _conv_kernel.choose, _onednn.onednn_weight_scale, conv_add.add


def _rule(
    name: str,
    module: ModuleType,
    attribute: str,
    wrong: Any,
    case: str = "conv2d",
    **where: Any,
) -> Fault:
    """Another function in place of one that a module uses."""
    return Fault(f"{case}: {name}", case, ((module, attribute, wrong),), **where)


def _stage(
    name: str,
    module: ModuleType,
    attribute: str,
    function: Any,
    case: str = "conv2d",
    **where: Any,
) -> Fault:
    """Another arithmetic behind one stage."""
    wrong = computing(getattr(module, attribute), function)
    return _rule(name, module, attribute, wrong, case, **where)


def with_kernel(**changes: Any) -> Any:
    """Another choice of kernel."""

    def choose(arithmetic: Arithmetic, values: Values) -> Kernel:
        return replace(CHOOSE(arithmetic, values), **changes)

    return choose


def other_way(**changes: str) -> Any:
    """Another way back, by the name of the right one."""

    def choose(arithmetic: Arithmetic, values: Values) -> Kernel:
        own = CHOOSE(arithmetic, values)
        right = own.way_back.replace("-", "_")
        return replace(own, way_back=changes.get(right, own.way_back), doubt=())

    return choose


def padded_behind(image: Array, geometry: Geometry, fill: int) -> Array:
    """All padding behind the image, none before it."""
    around = [(0, 0), (0, 0), *((0, 2 * p) for p in geometry.padding)]
    padded = np.pad(image, around, constant_values=fill)
    return windows(padded, replace(geometry, padding=(0,) * len(geometry.padding)), fill)


def undilated(image: Array, geometry: Geometry, fill: int) -> Array:
    """Neighbouring pixels in place of distant ones."""
    right = windows(image, geometry, fill)
    close = windows(image, replace(geometry, dilation=(1,) * len(geometry.dilation)), fill)
    return close[tuple(slice(n) for n in right.shape)]


def padded_with_zeros(image: Array, geometry: Geometry, fill: int) -> Array:
    """Padding that stands for the byte 0."""
    del fill
    return windows(image, geometry, 0)


def flipped(image: Array, geometry: Geometry, fill: int) -> Array:
    """The kernel turned round, as mathematics defines a convolution."""
    return np.flip(windows(image, geometry, fill), tuple(range(-len(geometry.kernel), 0)))


def channels_first(found: Array, groups: int) -> Array:
    """k over the channels, and at each over the kernel's positions."""
    spatial = (found.ndim - 2) // 2
    made = in_k_order(found, groups)
    taps = int(np.prod(found.shape[-spatial:]))
    split = made.reshape(*made.shape[:-1], taps, made.shape[-1] // taps)  # no images: no -1
    return np.ascontiguousarray(split.swapaxes(-1, -2)).reshape(made.shape)


def interleaved(found: Array, groups: int) -> Array:
    """Groups that take every so many-th channel."""
    order = np.arange(found.shape[1]).reshape(-1, groups).T.reshape(-1)
    return in_k_order(found[:, order], groups)


def never(*_: object) -> bool:
    """The kernel is never taken."""
    return False


def one_library(arithmetic: Arithmetic, values: Values, why: str) -> Kernel:
    """oneDNN's kernel where FBGEMM's is taken."""
    del values
    exact = "exact" if arithmetic.level == "vnni" else "pairs"
    return Kernel("oneDNN", exact, 0, "onednn-conv", why)


FAULTS = (
    _rule("pads with the byte 0", conv, "windows", padded_with_zeros, engines=EVERY),
    _rule("turns the kernel round", conv, "windows", flipped, engines=EVERY),
    _rule("turns the kernel round", conv, "windows", flipped, "conv1d", engines=EVERY),
    _rule("pads with the byte 0", conv, "windows", padded_with_zeros, "conv3d", engines=EVERY),
    _rule("takes the channels first", _windows, "in_k_order", channels_first, engines=EVERY),
    _rule("interleaves the groups", _windows, "in_k_order", interleaved, engines=EVERY),
    _rule("pads behind the image alone", conv, "windows", padded_behind, engines=EVERY),
    _rule("forgets the dilation", conv, "windows", undilated, engines=EVERY),
    _rule(
        "adds exactly where pairs saturate",
        conv,
        "choose",
        with_kernel(accumulator="exact"),
        engines=(*FBGEMM, *ONEDNN),
        levels=PAIRS,
    ),
    _rule(
        "adds exactly where pairs saturate",
        conv,
        "choose",
        with_kernel(accumulator="exact"),
        "conv3d",
        engines=(*FBGEMM, *ONEDNN),
        levels=PAIRS,
    ),
    _rule(
        "saturates pairs where sums are exact",
        conv,
        "choose",
        with_kernel(accumulator="pairs"),
        levels=EXACT,
    ),
    _rule(
        "takes no depthwise kernel",
        _conv_kernel,
        "fast_depthwise",
        never,
        engines=("fbgemm",),
        levels=EXACT,
    ),
    _rule(
        "lets oneDNN's pairs run across the kernel's positions",
        conv,
        "choose",
        with_kernel(block=0),
        engines=ONEDNN,
        levels=PAIRS,
    ),
    _rule(
        "lets oneDNN multiply the padding",
        conv,
        "choose",
        with_kernel(skips_padding=False),
        engines=ONEDNN,
        levels=PAIRS,
    ),
    _rule(
        "takes oneDNN's order of AVX2",
        conv,
        "choose",
        other_way(onednn_conv="onednn-conv-avx2"),
        engines=("onednn", "x86"),
        levels=EXACT,
    ),
    _rule(
        "takes oneDNN's order of VNNI",
        conv,
        "choose",
        other_way(onednn_conv_avx2="onednn-conv"),
        engines=ONEDNN,
        levels=("avx2",),
    ),
    _rule(
        "takes no plain loops",
        conv,
        "choose",
        other_way(onednn_conv_plain="onednn-conv-avx2"),
        engines=ONEDNN,
        levels=("avx2",),
    ),
    _rule(
        "takes the weights' scale over reciprocals",
        _onednn,
        "onednn_weight_scale_conv",
        UNIT,
        engines=ONEDNN,
    ),
    _stage(
        "adds oneDNN's zero point after rounding",
        _onednn,
        "onednn_zero_point",
        lambda s, y_zp: np.rint(s) + y_zp,
        engines=("onednn", "x86"),
        levels=EXACT,
    ),
    _rule(
        "takes oneDNN where the x86 engine takes FBGEMM",
        _conv_kernel,
        "_fbgemm",
        one_library,
        engines=("x86",),
    ),
    _rule("rounds half away", _fbgemm, "rne32", half_away_32, engines=("fbgemm",)),
    _stage(
        "rounds the bias",
        _fbgemm,
        "fbgemm_bias",
        lambda acc, b, a: f32(f64(acc) + np.rint(f64(b) / a)),
        engines=("fbgemm",),
    ),
    _stage(
        "forgets the zero point of the weights",
        _products,
        "mac_centred",
        lambda x_c, w_q, w_zp: _products.mac.compute(x_c, w_q),
        engines=(*FBGEMM, *QNNPACK),
        levels=EXACT,
    ),
    _stage(
        "clamps relu at 0",
        _fbgemm,
        "relu_clamp",
        lambda z, y_zp, qmax: np.clip(z, 0, qmax),
        engines=("fbgemm",),
    ),
    _rule("multiplies in float64", _qnnpack, "mul32", product_64, engines=QNNPACK),
    _stage(
        "rounds products of depthwise kernels of 27 twice",
        _qnnpack,
        "qnnpack_requantize_once",
        _qnnpack.qnnpack_requantize.compute,
        "conv3d",
        engines=QNNPACK,
    ),
    _rule("rounds oneDNN's results half away", _onednn, "rne32", half_away_32, engines=ONEDNN),
    _rule("rounds half away", _fbgemm, "rne32", half_away_32, "conv1d", engines=QNNPACK),
    _rule(
        "adds the image with two roundings",
        conv_add,
        "fma32",
        two_roundings,
        "conv2d_add",
        engines=ONEDNN,
    ),
    _stage(
        "forgets the zero point of the image",
        conv_add,
        "add",
        lambda r_q, r_zp, r_s, e: ADD.compute(r_q, 0, r_s, e),
        "conv2d_add",
        engines=ONEDNN,
    ),
)
