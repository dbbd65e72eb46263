"""From the accumulator to the byte: multiplier, rounding, zero point, ReLU and clamp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Edit, Plan, Stages, after, in_place_of, making
from qdbg.core.arithmetic import ARITHMETICS, at_least, f32, f64, i64, rne, sat32, saturate
from qdbg.core.quantity import Array
from qdbg.core.roundings import (
    downward,
    half_away,
    half_up,
    significant,
    toward_zero,
    wrap_byte,
)
from qdbg.core.stage import Stage, stage
from qdbg.ops import _fbgemm, _qnnpack, _textbook
from qdbg.ops._clamp import clamp

ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "half-away": half_away,
    "half-up": half_up,
    "truncated": toward_zero,
    "floor": downward,
    "half-even": rne,
}
"""Other roundings than a kernel's."""

# ---------------------------------------------------------------------------- rounding


def rounding(name: str, made: Stage) -> Stage:
    """A stage that rounds its only operand in another way."""
    how, (symbol,) = ROUNDINGS[name], made.parameters

    def compute(x: Array) -> Array:
        return sat32(how(x))

    word = name.replace("-", "_")
    left = made.formula.partition(" = ")[0]
    letter = left[left.find("[") :] if "[" in left else ""
    return replace(
        made,
        formula=f"{left} = {word}({symbol}{letter})",
        explanation=f"Round to an integer: {name.replace('-', ' ')}.",
        compute=compute,
        saturates=None,
        unsaturated=None,
        variants=None,
    )


def _round_edit(name: str) -> Edit:
    def edit(stages: Stages) -> Stages:
        made = next((s for s in stages if s.name == "round"), None)
        if made is None or len(made.parameters) != 1:
            return stages
        return in_place_of(stages, "round", rounding(name, made))

    return edit


def _quantizing(name: str) -> Stage:
    """The last step of an element-wise op, rounded in another way."""
    how = ROUNDINGS[name]

    @stage(
        "quantize",
        output="z int32 [I]",
        formula=f"z[i] = {name.replace('-', '_')}(u[i] / y_scale) + y_zp",
    )
    def quantize(u: Array, y_scale: Array, y_zp: Array) -> Array:
        """Divide by the scale, round in another way than PyTorch does, add the zero point."""
        return sat32(how(f64(u) / f64(y_scale)) + f64(y_zp))

    return quantize


def _rounding(plan: Plan) -> Variants:
    names = [name for name in ROUNDINGS if name != "half-even"]
    made = next((s for s in plan.stages if s.name == "round"), None)
    if made is not None and len(made.parameters) == 1:
        for name in names:
            yield name, plan.edited(_round_edit(name))
        return
    real = replace(plan, arithmetic=ARITHMETICS["textbook"])
    for where, own in (("", plan), ("-in-float64", real)):
        if making(own.stages, "u") is not None and making(own.stages, "z") is not None:
            for name in names:
                yield f"{name}{where}", own.edited(partial(_quantize_edit, name))


def _quantize_edit(name: str, stages: Stages) -> Stages:
    if making(stages, "u") is None:
        return stages
    return in_place_of(stages, "quantize", _quantizing(name))


@stage("round", output="r int32 [C]", formula="r[c] = fixed_point(rne(v[c]), M[c])")
def fixed_single(v: Array, M: Array) -> Array:
    """Multiply the integer by a multiplier of 31 bits and a shift, with one rounding, half up."""
    fraction, shift = _fixed(M)
    product = i64(rne(v)) * fraction
    places = np.clip(31 - shift, 1, 62)
    return sat32((product + (np.int64(1) << (places - 1))) >> places)


@stage("round", output="r int32 [C]", formula="r[c] = fixed_point(fixed_point(rne(v[c]), M[c]))")
def fixed_double(v: Array, M: Array) -> Array:
    """Multiply the integer by a multiplier of 31 bits, round, then shift and round again: half
    away from zero, as gemmlowp does."""
    fraction, shift = _fixed(M)
    product = i64(rne(v)) * fraction
    high = np.where(product >= 0, product + (1 << 30), product + 1 - (1 << 30))
    high = np.trunc(high / 2.0**31)
    places = np.clip(-shift, 0, 31)
    return sat32(half_away(np.ldexp(high, np.maximum(shift, 0)) / np.ldexp(1.0, places)))


def _fixed(multiplier: Array) -> tuple[Array, Array]:
    """fraction in [2³⁰, 2³¹) and shift: multiplier = fraction · 2^(shift − 31)."""
    mantissa, exponent = np.frexp(f64(multiplier))
    fraction = i64(rne(np.ldexp(mantissa, 31)))
    over = fraction == 1 << 31
    return np.where(over, fraction >> 1, fraction), np.where(over, exponent + 1, exponent)


def _fixed_edit(made: Stage) -> Edit:
    def edit(stages: Stages) -> Stages:
        kept = tuple(s for s in stages if s.name != "requantize")
        kept = tuple(_textbook.textbook_multiplier if s.output == "M" else s for s in kept)
        return in_place_of(kept, "round", made)

    return edit


def _fixed_point(plan: Plan) -> Variants:
    if _by_multiplier(plan):
        yield "single", plan.edited(_fixed_edit(fixed_single))
        yield "double", plan.edited(_fixed_edit(fixed_double))


# -------------------------------------------------------------------------- multiplier


def _by_multiplier(plan: Plan) -> bool:
    """Whether the way back goes from v to s by one multiplier M; oneDNN's goes by real values."""
    return plan.kernel is not None and not plan.kernel.way_back.startswith("onednn")


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
    if _by_multiplier(plan):
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


def _requantization(plan: Plan) -> Variants:
    if plan.kernel is None:
        return
    for name in ("textbook", "fbgemm", "qnnpack", "onednn"):
        if not plan.kernel.way_back.startswith(name):
            other = "onednn-conv" if name == "onednn" and plan.has("kernel_size") else name
            yield name, plan.with_kernel(way_back=other)


@stage("requantize", output="z int32 [C]", formula="z[c] = rne(s[c] + y_zp)")
def rounded_together(s: Array, y_zp: Array) -> Array:
    """Add the zero point, then round to the nearest integer, half to even."""
    return sat32(rne(f32(f64(s) + f64(y_zp)) if s.dtype == np.float32 else f64(s) + f64(y_zp)))


# --------------------------------------------------------------- zero point, ReLU, clamp


def _before(stages: Stages) -> Stages:
    kept = tuple(s for s in stages if s.name != "round")
    return in_place_of(kept, "zero point", rounded_together)


def _behind(stages: Stages) -> Stages:
    kept = tuple(s for s in stages if s.name not in {"zero point", "clamp"})
    rounded = (
        _fbgemm.round_half_even,
        _textbook.textbook_zero_point,
        clamp,
    )
    return in_place_of(kept, "round", *rounded)


def _order(plan: Plan) -> Variants:
    if plan.kernel is None:
        if plan.op.name == "quantize" and plan.arithmetic.quantize in OTHER_QUANTIZE:
            other = OTHER_QUANTIZE[plan.arithmetic.quantize]
            yield "", replace(plan, arithmetic=replace(plan.arithmetic, quantize=other))
        return
    yield "", plan.edited(_before if _by_multiplier(plan) else _behind)


OTHER_QUANTIZE = {"fused": "divide", "divide": "fused"}


def _last(plan: Plan) -> Stage | None:
    stages = plan.stages
    return stages[-1] if stages and stages[-1].output == "y_q" else None


def _unclamped(name: str, how: Callable[[Array], Array]) -> Edit:
    def edit(stages: Stages) -> Stages:
        if stages[-1].output != "y_q":
            return stages
        if stages[-1].name == "round":
            kept = tuple(s for s in stages[:-1] if s.name != "clamp")
            return (*kept, _made("z", name, lambda z: how(rne(z))))
        return (*stages[:-1], _made(stages[-1].parameters[0], name, how))

    return edit


def _made(symbol: str, name: str, how: Callable[[Array], Array]) -> Stage:
    return Stage(
        "clamp",
        "y_q",
        "int64",
        f"y_q = {name}({symbol})",
        "The integers are not kept inside the result's range as PyTorch does it.",
        (symbol,),
        lambda z: how(i64(z) if z.dtype.kind != "f" else z),
    )


CLAMPS: dict[str, Callable[[Array], Array]] = {
    "none": i64,
    "wraps": lambda z: wrap_byte(i64(z)),
    "int8": lambda z: i64(saturate(z, -128, 127)),
    "7-bit": lambda z: i64(saturate(z, 0, 127)),
}


def _clamp(plan: Plan) -> Variants:
    last = _last(plan)
    if last is None or last.name not in {"clamp", "round"}:
        return
    for name, how in CLAMPS.items():
        yield name, plan.edited(_unclamped(name, how))


@stage("relu", output="y_q byte [C]", formula="y_q[c] = max(y_q_0[c], y_zp)")
def raised(y_q_0: Array, y_zp: Array) -> Array:
    """The ReLU that follows is applied here already."""
    return at_least(i64(y_q_0), i64(y_zp))


def _before_relu(plan: Plan) -> Variants:
    if plan.has("y_zp") and not plan.relu and plan.op.name != "relu":
        yield "", plan.edited(lambda stages: after(stages, "y_q", raised))


def _relu_missing(plan: Plan) -> Variants:
    if plan.op.name == "relu":
        yield "", plan.having(x_zp=np.array(0, np.int64))
    elif plan.relu:
        yield "", replace(plan, relu=False)


HYPOTHESES = (
    Hypothesis(
        "captured-before-relu",
        "relu",
        "one side is before the ReLU, the other behind it",
        "a forward hook on Linear sees its result before the module's own ReLU",
        "compare with the call of the ReLU, or leave it out",
        _before_relu,
    ),
    Hypothesis(
        "relu-missing",
        "relu",
        "the ReLU is missing, or its floor is the integer 0 and not the zero point",
        "the real value 0 is the integer y_zp",
        "apply max(y_q, y_zp)",
        _relu_missing,
    ),
    Hypothesis(
        "clamp",
        "clamp",
        "the result is not clamped to the dtype's range",
        "pytorch#56331: quint8 holds 0 … 255, and what lies outside saturates",
        "clamp to qmin … qmax after adding the zero point",
        _clamp,
    ),
    Hypothesis(
        "rounding",
        "rounding",
        "results are not rounded half to even",
        "numpy's rint and x86 round half to even; C's round, casts and shifts do not",
        "round half to even (np.rint, cvtps2dq)",
        _rounding,
    ),
    Hypothesis(
        "fixed-point",
        "rounding",
        "an integer multiplier and a shift stand for the float32 multiplier",
        "gemmlowp and TFLite; PyTorch's x86 engines multiply in float32",
        "multiply in float32 and round half to even",
        _fixed_point,
        weight=2,  # it rounds the bias too
    ),
    Hypothesis(
        "zero-point-order",
        "zero point order",
        "the zero point is added on the other side of rounding",
        "oneDNN and quantize_per_tensor add it before rounding, FBGEMM and QNNPACK behind it",
        "round and add in the engine's order: with an odd zero point a tie goes the other way",
        _order,
    ),
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
        "FBGEMM, QNNPACK, oneDNN and textbooks differ in several of them",
        "take the formulas of the engine that ran",
        _requantization,
        weight=2,
    ),
)
