"""Wrong rules of normalizations."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64, fma32, sat32
from qdbg.core.quantity import Array
from qdbg.core.stage import split
from qdbg.ops import _elementwise, _norm, batch_norm, group_norm, layer_norm
from qdbg.ops._elementwise import BLOCK, quantize_block, quantize_tail
from qdbg.selftest.faults import FIRST, FUSED, Fault, computing, fault, stage_fault
from qdbg.selftest.faults._wrong import half_away, two_roundings


def statistics_fault(name: str, place: int, function: Any) -> Fault:
    """Another arithmetic behind one of the stages of LayerNorm's statistics."""
    wrong = list(_norm.STATISTICS)
    wrong[place] = computing(wrong[place], function)
    return fault(name, "layer_norm", layer_norm, "STATISTICS", tuple(wrong))


def zero_point_first(alpha: Array, x_q: Array, x_zp: Array, beta: Array, y_zp: Array) -> Array:
    """The zero point is added before rounding."""
    total = f64(fma32(alpha, f64(x_q) - f64(x_zp), beta)) + f64(y_zp)
    return sat32(np.rint(total))


FAULTS = (
    fault("batch_norm multiplies and adds in two operations", "batch_norm2d", batch_norm, "fma32",
          two_roundings),
    fault("batch_norm rounds half away", "batch_norm2d", batch_norm, "rne", half_away),
    stage_fault("batch_norm adds the zero point before rounding", "batch_norm2d", batch_norm,
                "normalize", zero_point_first),
    stage_fault("batch_norm forgets eps", "batch_norm2d", batch_norm, "deviation",
                lambda var, eps: f32(1 / np.sqrt(f64(var)))),
    stage_fault("batch_norm's relu clamps at 0", "batch_norm2d", batch_norm, "relu",
                lambda y_q, y_zp: np.maximum(np.asarray(y_q, np.int32), 0)),
    fault("layer_norm has only whole vectors", "layer_norm", _elementwise, "quantize",
          split(BLOCK, quantize_block, quantize_block), FUSED),
    fault("layer_norm has no vectors", "layer_norm", _elementwise, "quantize",
          split(BLOCK, quantize_tail, quantize_tail), FUSED),
    fault("layer_norm adds the zero point before rounding", "layer_norm", _elementwise, "ROUNDED",
          "", FIRST),
    fault("layer_norm takes 64 elements at once", "layer_norm", layer_norm, "VECTOR", 64, FUSED),
    statistics_fault("layer_norm divides by one less", 3,
                     lambda mean, squares, n: np.maximum(
                         f32((f64(squares) - f64(n) * f64(mean) ** 2) / (f64(n) - 0.5)), 0)),
    statistics_fault("layer_norm forgets eps", 4,
                     lambda x_scale, var, eps: f32(1 / np.sqrt(f64(var) + 1e-30))),
    stage_fault("layer_norm forgets the bias", "layer_norm", layer_norm, "normalize_layer",
                lambda x_q, x_zp, centre, r, gamma, beta: f32(
                    (f64(x_q) - f64(x_zp) - centre) * f64(r) * gamma)),
    fault("group_norm quantizes without vectors", "group_norm2d", group_norm, "quantize_block",
          computing(quantize_block, lambda u, inv, y_zp: sat32(
              np.rint(f32(f64(f32(f64(u) * inv)) + f64(y_zp)))))),
    stage_fault("group_norm multiplies the weight apart", "group_norm2d", group_norm,
                "normalize_group", _norm.normalize_layer.compute),
    fault("group_norm's last channels are a whole vector", "group_norm2d", _elementwise,
          "quantize_tail", computing(quantize_tail, lambda u, y_scale, y_zp:
              sat32(np.rint(f32(f64(u) * f32(1 / f64(f32(y_scale))))) + f64(y_zp))), FUSED),
    fault("group_norm's last channels add the zero point before rounding", "group_norm2d",
          _elementwise, "ROUNDED", "", FIRST),
)  # fmt: skip
