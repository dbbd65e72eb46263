"""Wrong rules of quantizing, of dequantizing and of copies into quantized tensors."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64, fma32, rne, rne32, sat32
from qdbg.ops import dequantize, quantize
from qdbg.selftest.faults import Fault, computing
from qdbg.selftest.faults._wrong import half_away, half_away_32, two_roundings


def fault(name: str, case: str, module: ModuleType, attribute: str, wrong: Any) -> Fault:
    """Another function in place of one that a module uses."""
    return Fault(name, case, ((module, attribute, wrong),))


def stage_fault(name: str, case: str, module: ModuleType, attribute: str, function: Any) -> Fault:
    """Another arithmetic behind one stage."""
    return fault(name, case, module, attribute, computing(getattr(module, attribute), function))


FAULTS = (
    fault("the frame is rounded half away", "pad", quantize, "rne32", half_away_32),
    fault("quantize rounds twice", "quantize", quantize, "fma32", two_roundings),
    fault("quantize rounds half away", "quantize", quantize, "rne32", half_away_32),
    stage_fault("quantize divides by the scale", "quantize", quantize, "scale_fused",
                lambda x, y_scale, y_zp: f32(f64(x) / f64(f32(y_scale)) + f64(y_zp))),
    stage_fault("quantize adds the zero point after rounding", "quantize", quantize, "scale_fused",
                lambda x, y_scale, y_zp: f32(
                    rne(fma32(x, f32(1 / f64(f32(y_scale))), 0.0)) + f64(y_zp))),
    stage_fault("quantize does not round the scale", "quantize", quantize, "scale_fused",
                lambda x, y_scale, y_zp: fma32(x, f32(1 / f64(y_scale)), f64(y_zp))),
    stage_fault("quantize has no bound before rounding", "quantize", quantize, "round_bounded",
                rne32),
    stage_fault("quantize takes NaN for 0", "quantize", quantize, "round_bounded",
                lambda s: rne32(np.where(np.isnan(s), 0, np.minimum(s, quantize.LARGEST)))),
    stage_fault("the clamp of quantize wraps", "quantize", quantize, "clamp_each",
                lambda z, qmin, qmax: (f64(z) - qmin) % (f64(qmax) - qmin + 1) + qmin),
    stage_fault("32 bits are quantized in one operation", "quantize", quantize, "scale_twice",
                quantize.scale_fused.compute),
    stage_fault("32 bits take NaN for 0", "quantize", quantize, "round_word",
                quantize.round_whole.compute),
    stage_fault("a scale per channel quantizes in one operation", "quantize_per_channel", quantize,
                "scale_twice", quantize.scale_fused.compute),
    stage_fault("a scale per channel adds the zero point after rounding", "quantize_per_channel",
                quantize, "scale_twice",
                lambda x, y_scale, y_zp: rne(f32(f64(x) * f32(1 / f64(f32(y_scale))))) + y_zp),
    stage_fault("all channels have the first one's scale", "quantize_per_channel", quantize,
                "scale_twice",
                lambda x, y_scale, y_zp: quantize.scale_fused.compute(x, y_scale.flat[0], y_zp)),
    stage_fault("a scale per channel takes NaN for the smallest", "quantize_per_channel", quantize,
                "round_whole", lambda s: sat32(rne(s))),
    fault("a scale per channel rounds half away", "quantize_per_channel", quantize, "rne",
          half_away),
    fault("quantizing by the range rounds twice", "quantize_dynamic", quantize, "fma32",
          two_roundings),
    stage_fault("dequantize forgets the zero point", "dequantize", dequantize, "dequantize",
                lambda x_scale, x_q, x_zp: f32(f64(f32(x_scale)) * f64(x_q))),
    stage_fault("dequantize does not round the scale", "dequantize", dequantize, "dequantize",
                lambda x_scale, x_q, x_zp: f32(f64(x_scale) * (f64(x_q) - f64(x_zp)))),
    stage_fault("a scale per channel dequantizes in float32", "dequantize", dequantize,
                "dequantize_channel",
                lambda x_scale, x_q, x_zp: f32(f64(f32(x_scale)) * (f64(x_q) - f64(x_zp)))),
    stage_fault("32 bits are dequantized without wrapping", "dequantize", dequantize,
                "dequantize_word",
                lambda x_scale, x_q, x_zp: f32(
                    f64(f32(x_scale)) * f64(f32(f64(x_q) - f64(x_zp))))),
    fault("copied values are rounded half away", "copy_into", quantize, "rne32", half_away_32),
)  # fmt: skip
