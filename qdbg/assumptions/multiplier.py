"""How the accumulator comes to the scale of the result."""

from __future__ import annotations

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Edit, Plan, Stages, after, in_place_of, making
from qdbg.core.arithmetic import f32, f64, fma32, rne32
from qdbg.core.quantity import Array
from qdbg.core.roundings import (
    significant,
)
from qdbg.core.stage import Stage, stage
from qdbg.ops import _fbgemm, _qnnpack, _textbook


@stage(
    "multiplier",
    output="M float32 [C]",
    formula="M[c] = f32(x_scale·w_scale[c] / y_scale)",
    constant=True,
)
def once(x_scale: Array, w_scale: Array, y_scale: Array) -> Array:
    """The multiplier in float64, rounded to float32 once."""
    return f32(f64(x_scale) * f64(w_scale) / f64(y_scale))


def _bits(bits: int) -> Stage:
    @stage(
        "multiplier",
        output="M float64 [C]",
        formula=f"M[c] = x_scale·w_scale[c] / y_scale, rounded to {bits} bits",
        constant=True,
    )
    def multiplier(x_scale: Array, w_scale: Array, y_scale: Array) -> Array:
        """The multiplier as an integer of few bits and a shift."""
        return significant(f64(x_scale) * f64(w_scale) / f64(y_scale), bits)

    return multiplier


MULTIPLIERS: dict[str, tuple[tuple[Stage, ...], Stage]] = {
    "float64": ((_textbook.textbook_multiplier,), _textbook.textbook_requantize),
    "fbgemm": ((_fbgemm.unit, _fbgemm.fbgemm_multiplier), _fbgemm.requantize),
    "qnnpack": ((_qnnpack.qnnpack_multiplier,), _qnnpack.qnnpack_requantize),
    "float32-once": ((once,), _qnnpack.qnnpack_requantize),
    "16-bit": ((_bits(16),), _textbook.textbook_requantize),
    "float16": ((_bits(11),), _textbook.textbook_requantize),
    "8-bit": ((_bits(8),), _textbook.textbook_requantize),
    "power-of-two": ((_bits(1),), _textbook.textbook_requantize),
}


def _multiplier_edit(constants: tuple[Stage, ...], scaled: Stage) -> Edit:
    def edit(stages: Stages) -> Stages:
        own = {s.output for s in constants}
        kept = tuple(s for s in stages if not (s.output in own and s.output != "a"))
        missing = tuple(s for s in constants if making(kept, s.output) is None)
        return in_place_of(kept, "requantize", *missing, scaled)

    return edit


@stage(
    "requantize",
    output="s float64 [C]",
    formula="s[c] = (x_scale·w_scale[c]·acc[c] + b[c]) / y_scale",
)
def real_value(x_scale: Array, w_scale: Array, acc: Array, b: Array, y_scale: Array) -> Array:
    """The real value over the result's scale, in float64."""
    return f64((f64(x_scale) * f64(w_scale) * f64(acc) + f64(b)) / f64(y_scale))


@stage("requantize", output="s float64 [C]", formula="s[c] = x_scale·w_scale[c]·acc[c] / y_scale")
def real_value_no_bias(x_scale: Array, w_scale: Array, acc: Array, y_scale: Array) -> Array:
    """The real value over the result's scale, in float64."""
    return f64(f64(x_scale) * f64(w_scale) * f64(acc) / f64(y_scale))


def _real_edit(made: Stage, relu: bool) -> Edit:
    def edit(stages: Stages) -> Stages:
        names = ("dequantize", "bias", "relu")
        kept = tuple(s for s in stages if s.name not in names or s.output == "acc")
        found = in_place_of(kept, "requantize", made)
        return after(found, "s", _floored_real) if relu else found

    return edit


@stage("relu", output="s float64 [C]", formula="s[c] = max(s_0[c], 0)")
def _floored_real(s_0: Array) -> Array:
    """The fused ReLU, on the real value."""
    return np.maximum(s_0, 0)


def _multiplier(plan: Plan) -> Variants:
    if plan.kernel is None:
        return
    if plan.by_multiplier:
        for name, (constants, scaled) in MULTIPLIERS.items():
            if not plan.kernel.way_back.startswith(name):
                yield name, plan.edited(_multiplier_edit(constants, scaled))
        return
    made = real_value if plan.has("b") else real_value_no_bias
    yield "float64", plan.edited(_real_edit(made, plan.relu))
    for name in ("onednn", "onednn-avx2"):
        conv = "onednn-conv" in plan.kernel.way_back
        other = name.replace("onednn", "onednn-conv") if conv else name
        if other != plan.kernel.way_back:
            yield name, plan.with_kernel(way_back=other)


@stage("real", output="s float32 [C]", formula="s[c] = f32(x_scale·w_scale[c]·acc[c] + b[c])")
def dequantized(x_scale: Array, w_scale: Array, acc: Array, b: Array) -> Array:
    """The real value, in float32."""
    return f32(f64(x_scale) * f64(w_scale) * f64(acc) + f64(b))


@stage("real", output="s float32 [C]", formula="s[c] = f32(x_scale·w_scale[c]·acc[c])")
def dequantized_no_bias(x_scale: Array, w_scale: Array, acc: Array) -> Array:
    """The real value, in float32."""
    return f32(f64(x_scale) * f64(w_scale) * f64(acc))


@stage("quantize", output="z int32 [C]", formula="z[c] = rne(fma32(s[c], f32(1 / y_scale), y_zp))")
def quantized(s: Array, y_scale: Array, y_zp: Array) -> Array:
    """Quantize the real value as quantize_per_tensor does: the zero point is added before."""
    return rne32(fma32(s, f32(1 / f64(y_scale)), f32(y_zp)))


def _reference(*made: Stage) -> Edit:
    """Behind the sum what a float model computes, and the clamp."""

    def edit(stages: Stages) -> Stages:
        at = max(i for i, stage in enumerate(stages) if stage.output == "acc")
        rest = [s for s in stages[at + 1 :] if s.name in {"round", "zero point"}]
        kept = () if made[-1].output == "z" else tuple(rest)
        return (*(s for s in stages[: at + 1] if s.name != "multiplier"), *made, *kept, stages[-1])

    return edit


def _requantization(plan: Plan) -> Variants:
    if plan.kernel is None:
        return
    textbook, bias = plan.with_kernel(way_back="textbook"), plan.has("b")
    yield "real-values", textbook.edited(_reference(real_value if bias else real_value_no_bias))
    real = dequantized if bias else dequantized_no_bias
    yield "dequantized", textbook.edited(_reference(real, quantized))
    for name in ("textbook", "fbgemm", "qnnpack", "onednn"):
        if not plan.kernel.way_back.startswith(name):
            other = "onednn-conv" if name == "onednn" and plan.has("kernel_size") else name
            yield name, plan.with_kernel(way_back=other)


HYPOTHESES = (
    Hypothesis(
        "multiplier",
        "multiplier",
        "the multiplier has another precision or order of operations",
        "each engine has its own order of float32 operations: the formulas show it",
        "compute the multiplier in float32, in the engine's order",
        _multiplier,
    ),
    Hypothesis(
        "requantization",
        "requantization",
        "bias, multiplier, rounding and zero point follow another engine's rules",
        "FBGEMM, QNNPACK, oneDNN, textbooks and float references differ: forum 154000, 157066",
        "take the formulas of the engine that ran",
        _requantization,
        weight=2,
    ),
)
