"""Wrong rules of quantizing, of dequantizing and of copies into quantized tensors."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, fma32, rne, rne32, sat32
from qdbg.core.stage import Stage
from qdbg.ops import dequantize, pad, quantize
from qdbg.selftest.faults import FIRST, FUSED, Fault, computing, fault, stage_fault
from qdbg.selftest.faults._wrong import half_away, half_away_32, two_roundings


def zero_point_earlier(name: str, case: str, scale: str, fused: Stage, shift: str) -> Fault:
    """The zero point is added in the stage `scale`, and no more in the stage `shift`."""
    left = computing(getattr(quantize, shift), lambda r, y_zp: sat32(r))
    changes = ((quantize, scale, fused), (quantize, shift, left))
    return Fault(name, case, changes, only=FIRST)


FAULTS = (
    fault("the frame is rounded half away", "pad", quantize, "rne32", half_away_32),
    fault("quantize rounds twice", "quantize", quantize, "fma32", two_roundings, FUSED),
    fault("quantize rounds half away", "quantize", quantize, "rne32", half_away_32),
    stage_fault("quantize divides by the scale", "quantize", quantize, "scale_fused",
                lambda x, y_scale, y_zp: f32(f64(x) / f64(f32(y_scale)) + f64(y_zp)), FUSED),
    stage_fault("quantize adds the zero point after rounding", "quantize", quantize, "scale_fused",
                lambda x, y_scale, y_zp: f32(
                    rne(fma32(x, f32(1 / f64(f32(y_scale))), 0.0)) + f64(y_zp)), FUSED),
    stage_fault("quantize does not round the scale", "quantize", quantize, "scale_fused",
                lambda x, y_scale, y_zp: fma32(x, f32(1 / f64(y_scale)), f64(y_zp)), FUSED),
    stage_fault("quantize has no bound before rounding", "quantize", quantize, "round_bounded",
                rne32, FUSED),
    stage_fault("quantize takes NaN for 0", "quantize", quantize, "round_bounded",
                lambda s: rne32(np.where(np.isnan(s), 0, np.minimum(s, quantize.LARGEST))), FUSED),
    stage_fault("the clamp of quantize wraps", "quantize", quantize, "clamp_each",
                lambda z, qmin, qmax: (f64(z) - qmin) % (f64(qmax) - qmin + 1) + qmin),
    stage_fault("32 bits are quantized in one operation", "quantize", quantize, "scale_twice",
                quantize.scale_fused.compute, FUSED),
    stage_fault("32 bits take NaN for 0", "quantize", quantize, "round_word",
                quantize.round_whole.compute, FUSED),
    stage_fault("a scale per channel quantizes in one operation", "quantize_per_channel", quantize,
                "scale_twice", quantize.scale_fused.compute, FUSED),
    stage_fault("a scale per channel adds the zero point after rounding", "quantize_per_channel",
                quantize, "scale_twice",
                lambda x, y_scale, y_zp: rne(f32(f64(x) * f32(1 / f64(f32(y_scale))))) + y_zp,
                FUSED),
    stage_fault("all channels have the first one's scale", "quantize_per_channel", quantize,
                "scale_twice",
                lambda x, y_scale, y_zp: quantize.scale_fused.compute(x, y_scale.flat[0], y_zp),
                FUSED),
    stage_fault("a scale per channel takes NaN for the smallest", "quantize_per_channel", quantize,
                "round_whole", lambda s: sat32(rne(s)), FUSED),
    fault("a scale per channel rounds half away", "quantize_per_channel", quantize, "rne",
          half_away),
    fault("quantizing by the range rounds twice", "quantize_dynamic", quantize, "fma32",
          two_roundings, FUSED),
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
    zero_point_earlier("quantize adds the zero point before rounding", "quantize", "scale_first",
                       quantize.scale_fused, "add_in_register"),
    stage_fault("quantize divides by the scale, then rounds", "quantize", quantize, "scale_first",
                lambda x, y_scale: f32(f64(x) / f64(f32(y_scale))), FIRST),
    stage_fault("quantize does not round the scale of the product", "quantize", quantize,
                "scale_first", lambda x, y_scale: f32(f64(x) * f32(1 / f64(y_scale))), FIRST),
    stage_fault("quantize has no bound before it rounds first", "quantize", quantize,
                "round_first", rne32, FIRST),
    stage_fault("quantize rounds NaN to 0", "quantize", quantize, "round_first",
                lambda s: rne32(np.where(np.isnan(s), 0, np.minimum(s, quantize.LARGEST))), FIRST),
    stage_fault("the zero point does not wrap", "quantize", quantize, "add_in_register",
                lambda r, y_zp: sat32(f64(r) + f64(y_zp)), FIRST),
    zero_point_earlier("32 bits add the zero point before rounding", "quantize", "scale_each",
                       quantize.scale_twice, "shift_word"),
    stage_fault("32 bits round NaN to 0", "quantize", quantize, "shift_word",
                quantize.shift_whole.compute, FIRST),
    stage_fault("32 bits add the zero point as an integer", "quantize", quantize, "shift_word",
                lambda r, y_zp: sat32(f64(r) + f64(y_zp)), FIRST),
    zero_point_earlier("a scale per channel adds the zero point before rounding",
                       "quantize_per_channel", "scale_each", quantize.scale_twice, "shift_whole"),
    stage_fault("all channels are divided by the first one's scale", "quantize_per_channel",
                quantize, "scale_each",
                lambda x, y_scale: quantize.scale_first.compute(x, y_scale.flat[0]), FIRST),
    stage_fault("a scale per channel rounds NaN to the smallest", "quantize_per_channel", quantize,
                "shift_whole", quantize.shift_word.compute, FIRST),
    zero_point_earlier("quantizing by the range adds the zero point before rounding",
                       "quantize_dynamic", "scale_first", quantize.scale_fused, "add_in_register"),
    zero_point_earlier("copied values get the zero point before rounding", "copy_into",
                       "scale_first", quantize.scale_fused, "add_in_register"),
    fault("the frame gets the zero point before rounding", "pad", pad, "ROUNDED", "", FIRST),
)  # fmt: skip
