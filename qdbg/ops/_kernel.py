"""From the bytes to the result of a layer with weights: the stages that its kernel stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qdbg.core.arithmetic import f32, f64
from qdbg.core.op import Kernel
from qdbg.core.stage import Stage, Values
from qdbg.ops import _fbgemm, _onednn, _qnnpack, _textbook
from qdbg.ops._products import products

BY_HAND = Kernel("by hand", "exact", 0, "textbook", "the textbook knows no library")
ONEDNN: dict[str, dict[str, bool]] = {
    "onednn": {},
    "onednn-avx2": {"avx2": True},
    "onednn-conv": {"conv": True},
    "onednn-conv-avx2": {"conv": True, "avx2": True},
    "onednn-conv-gemm": {"conv": True, "avx2": True, "wide": True},
    "onednn-conv-plain": {"conv": True, "plain": True},
}
"""What oneDNN's ways back differ in."""
QNNPACK: dict[str, dict[str, bool]] = {
    "qnnpack": {"window": False},
    "qnnpack-window": {},
    "qnnpack-once": {"once": True},
}
"""What QNNPACK's ways back differ in."""
SCALES = ("x_scale", "w_scale", "y_scale")
WHOLE, HALVES, BLOCK = 256, 768, 384


def onednn_block(size: int) -> int:
    """After how many inputs oneDNN's matmul starts its pairs anew on AVX2: it splits K in two
    halves from 257 on and in blocks of 384 from 768 on; 0 where it does not split."""
    if size <= WHOLE:
        return 0
    return -(-size // 2) if size < HALVES else BLOCK


def weighted_stages(kernel: Kernel, values: Values, *, relu: bool) -> tuple[Stage, ...]:
    """The stages from `x_q` and `w_q` to `y_q`."""
    choice = {"bias": "b" in values, "relu": relu, "per_channel": np.ndim(values["w_scale"]) > 0}
    match kernel.way_back:
        case "fbgemm":
            back = _fbgemm.way_back(**choice)
        case name if name in QNNPACK:
            back = _qnnpack.way_back(**choice, **QNNPACK[name])
        case name if name in ONEDNN:
            back = _onednn.way_back(**choice, **ONEDNN[name], nan=_may_be_nan(values))
        case _:
            back = _textbook.way_back(**choice)
    zero_points = bool(np.any(values["w_zp"]))
    return (*products(kernel, weight_zero_points=zero_points), *back)


def _may_be_nan(values: Values) -> bool:
    """Whether a bias is no number, or oneDNN's inverse of an inverse of a scale leaves float32, or
    the multiplier, which is the inverse of that: an infinity times 0 is none either."""
    with np.errstate(all="ignore"):
        scales = {name: f32(1 / f64(f32(1 / f64(values[name])))) for name in SCALES}
        multiplier = f32(1 / f64(scales["y_scale"]))
        numbers = (*scales.values(), multiplier, values.get("b", np.zeros(0)))
        return not all(np.isfinite(each).all() for each in numbers)


def rival_stages(kernel: Kernel, values: Values, *, relu: bool) -> tuple[tuple[Stage, ...], ...]:
    """The same for each other way that the library may have taken."""
    ways = (replace(kernel, way_back=way) for way in kernel.doubt)
    return tuple(weighted_stages(way, values, relu=relu) for way in ways)
