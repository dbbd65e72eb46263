"""On which side of rounding the zero point is added."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Plan, Stages, in_place_of
from qdbg.core.arithmetic import f32, f64, rne, sat32
from qdbg.core.presets import ROUNDED
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, split, stage
from qdbg.ops import _elementwise, _fbgemm, _requantized, _textbook, avg_pool, quantize
from qdbg.ops._clamp import clamp


@stage("requantize", output="z int32 [C]", formula="z[c] = rne(s[c] + y_zp)")
def rounded_together(s: Array, y_zp: Array) -> Array:
    """Add the zero point, then round to the nearest integer, half to even."""
    return sat32(rne(f32(f64(s) + f64(y_zp)) if s.dtype == np.float32 else f64(s) + f64(y_zp)))


@stage("round", output="z int32 [I]", formula="z[i] = rne(s[i] + y_zp)")
def product_together(s: Array, y_zp: Array) -> Array:
    """Add the zero point, then round to the nearest integer, half to even."""
    return rounded_together.compute(s, y_zp)


@stage("average", output="z int32 [I]", formula="z[i] = rne(acc[i] / div[i] + y_zp)")
def average_together(acc: Array, div: Array, y_zp: Array) -> Array:
    """Divide by the number of values and add the zero point, then round half to even."""
    return sat32(rne(f64(acc) / f64(div) + f64(y_zp)))


@stage("quantize", output="z int32 [I]", formula="z[i] = rne(f32(u[i] / y_scale + y_zp))")
def quantize_together(u: Array, y_scale: Array, y_zp: Array) -> Array:
    """Divide by the scale and add the zero point, in float32, then round half to even."""
    return sat32(rne(f32(f64(u) / f64(y_scale) + f64(y_zp))))


TOGETHER: tuple[tuple[Stage, Stage], ...] = (
    (avg_pool.average_textbook, average_together),
    (avg_pool.average_block, average_together),
    (avg_pool.average_qnnpack, average_together),
    (_requantized.round_textbook, product_together),
    (_requantized.round_and_shift, product_together),
    (_elementwise.quantize_textbook, quantize_together),
)
"""Stages that round and then add the zero point, and those that add it first."""
LEFT_OVER = split(_elementwise.BLOCK, _elementwise.quantize_textbook, quantize_together)
"""As PyTorch's element-wise kernels have it: before rounding only behind the whole vectors."""
OTHER_QUANTIZE = {"fused": "divide", "divide": "fused", ROUNDED: "fused"}
"""Of the ways of `ops.quantize` one that adds it on the other side."""


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


def _together(stages: Stages) -> Stages:
    return tuple(next((new for old, new in TOGETHER if old is s), s) for s in stages)


def _left_over(stages: Stages) -> Stages:
    return tuple(LEFT_OVER if s is _elementwise.quantize_textbook else s for s in stages)


def _order(plan: Plan) -> Variants:
    if plan.kernel is not None:
        yield "", plan.edited(_before if plan.by_multiplier else _behind)
        return
    stages = plan.stages
    if any(
        s in (quantize.scale_fused, quantize.scale_first, quantize.scale_divide) for s in stages
    ):
        other = OTHER_QUANTIZE[plan.arithmetic.quantize]
        yield "", replace(plan, arithmetic=replace(plan.arithmetic, quantize=other))
        return
    if _together(stages) != stages:
        yield "", plan.edited(_together)
    block = np.asarray(plan.values.get(_elementwise.BLOCK, True))
    if _left_over(stages) != stages and block.any() and not block.all():
        yield "left-over", plan.edited(_left_over)


HYPOTHESES = (
    Hypothesis(
        "zero-point-order",
        "zero point order",
        "the zero point is added on the other side of rounding",
        "oneDNN and quantize_per_tensor of PyTorch 2.13 add it before rounding, FBGEMM, QNNPACK and"
        " other releases behind it",
        "round and add in the engine's order: with an odd zero point a tie goes the other way",
        _order,
    ),
)
