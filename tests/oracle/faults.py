"""Seeded faults: one rule of the arithmetic changed, which the comparison must catch."""

from dataclasses import replace

import numpy as np

from qdbg.core import arithmetic as primitives
from qdbg.ops import _fbgemm, _onednn, _products, _qnnpack, dequantize, quantize, relu

f32, f64 = primitives.f32, primitives.f64


def half_away(x):
    x = f64(x)
    return (np.sign(x) * np.floor(np.abs(x) + 0.5)).astype(np.int64).astype(np.int32)


def patched(*changes):
    """A fault that puts another function in place of a primitive."""

    def fault(arithmetic):
        for module, name, function in changes:
            getattr(module, name)  # the fault must hit something
            setattr(module, name, function)
        return arithmetic

    return fault


def double_rounding(x, y, z):
    return f32(f64(f32(f64(x) * f64(y))) + f64(z))


def shifted_pairs(size, blocked):
    first = np.arange(-1, size, 2).clip(0)
    second = np.arange(0, size + 1, 2)[: len(first)]
    has_second = (second > first) & (second < size)
    return first, np.where(has_second, second, first), has_second


def bias_rounded(acc, b, a):
    return f32(f64(acc) + np.rint(f64(b) / a))


def stage_with(module, name, function):
    """A fault that changes what a stage computes."""

    def fault(arithmetic):
        changed = replace(getattr(module, name), compute=function)
        setattr(module, name, changed)
        return arithmetic

    return fault


FAULTS = {
    "exact sums": lambda a: replace(a, accumulator="exact"),
    "saturating pairs": lambda a: replace(a, accumulator="pairs"),
    "pairs not blocked": lambda a: replace(a, accumulator="pairs"),
    "pairs start at the second input": patched((primitives, "pair_members", shifted_pairs)),
    "fbgemm rounds half away": patched((_fbgemm, "rne32", half_away)),
    "fbgemm rounds the bias": stage_with(_fbgemm, "fbgemm_bias", bias_rounded),
    "fbgemm adds the bias with two roundings": patched((_fbgemm, "fma32", double_rounding)),
    "fbgemm multiplies in float64": patched((_fbgemm, "f32", f64)),
    "qnnpack does not round the bias": patched((_qnnpack, "rne", np.floor)),
    "qnnpack multiplies in float64": patched((_qnnpack, "f32", f64)),
    "onednn adds the zero point after rounding": stage_with(
        _onednn, "onednn_zero_point", lambda s, y_zp: np.rint(s) + y_zp
    ),
    "onednn multiplies in the order of AVX2": lambda a: replace(a, way_back="onednn-avx2"),
    "onednn multiplies in the order of VNNI": lambda a: replace(a, way_back="onednn"),
    "the zero point of the input is forgotten": stage_with(
        _products, "centre", lambda x_q, x_zp: x_q.astype(np.int32)
    ),
    "the zero point of the sum is forgotten": stage_with(
        _products, "centre_sum", lambda dot, x_zp, w_sum: dot
    ),
    "the clamp wraps": stage_with(_fbgemm, "clamp", lambda z, qmin, qmax: z % 256),
    "quantize divides": lambda a: replace(a, quantize="divide"),
    "quantize rounds twice": patched((quantize, "fma32", double_rounding)),
    "dequantize does not round the scale": stage_with(
        dequantize, "dequantize", lambda x_scale, x_q, x_zp: f32(x_scale * (f64(x_q) - f64(x_zp)))
    ),
    "relu at zero": stage_with(relu, "relu", lambda x_q, x_zp: np.maximum(x_q, 0)),
}
