"""How results are rounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from qdbg.assumptions.bias import INTEGER
from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Edit, Plan, Stages, in_place_of, making
from qdbg.core.arithmetic import f64, i64, rne, sat32
from qdbg.core.quantity import Array
from qdbg.core.roundings import (
    downward,
    half_away,
    half_up,
    toward_zero,
    upward,
)
from qdbg.core.stage import Stage, stage
from qdbg.core.versions import arithmetics
from qdbg.names import TEXTBOOK
from qdbg.ops import _textbook

ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "half-away": half_away,
    "half-up": half_up,
    "truncated": toward_zero,
    "floor": downward,
    "ceil": upward,
    "half-even": rne,
}
"""Other roundings than a kernel's."""


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
    real = replace(plan, arithmetic=arithmetics(plan.arithmetic.release)[TEXTBOOK])
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


def _shifted(bits: int, *, half: bool) -> Stage:
    how = "half_up" if half else "floor"

    @stage(
        "round",
        output="r int32 [C]",
        formula=f"r[c] = {how}(rne(v[c])·M[c]), M[c] an integer of {bits} bits and a shift",
    )
    def shifted(v: Array, M: Array) -> Array:
        """Multiply by an integer of few bits and shift to the right."""
        mantissa, exponent = np.frexp(f64(M))
        product = i64(rne(v)) * i64(rne(np.ldexp(mantissa, bits)))
        places = np.clip(bits - i64(exponent), 1, 62)
        return sat32((product + (np.int64(half) << (places - 1))) >> places)

    return shifted


FIXED = {
    "single": fixed_single,
    "double": fixed_double,
    "floor": _shifted(31, half=False),
    "15-bit": _shifted(15, half=True),
    "15-bit-floor": _shifted(15, half=False),
}
"""Multipliers that are integers, by their bits and how often they are rounded."""


def _fixed_point(plan: Plan) -> Variants:
    if plan.kernel is not None and plan.kernel.way_back.startswith(INTEGER):
        yield from _by_integers(plan)


def _fixed_point_and_bias(plan: Plan) -> Variants:
    if plan.kernel is not None and not plan.kernel.way_back.startswith(INTEGER):
        yield from _by_integers(plan)


def _by_integers(plan: Plan) -> Variants:
    if plan.by_multiplier:
        for name, made in FIXED.items():
            yield name, plan.edited(_fixed_edit(made))


HYPOTHESES = (
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
        "gemmlowp, TFLite (tensorflow#102943: one rounding or two), CMSIS-NN; x86 takes float32",
        "multiply in float32 and round half to even",
        _fixed_point,
    ),
    Hypothesis(
        "fixed-point-and-bias",
        "rounding",
        "integers stand for the float32 multiplier and for the bias",
        "gemmlowp, TFLite and CMSIS-NN keep both as integers; x86 engines keep both in float32",
        "add the bias and multiply in float32, and round half to even",
        _fixed_point_and_bias,
        weight=2,
    ),
)
