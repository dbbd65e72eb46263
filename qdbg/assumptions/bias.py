"""What becomes of the bias."""

from __future__ import annotations

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Edit, Plan, Stages, after, in_place_of, making
from qdbg.core.arithmetic import f64, rne, sat32, wrap32
from qdbg.core.quantity import Array
from qdbg.core.roundings import downward, half_away, toward_zero
from qdbg.core.stage import Stage, stage
from qdbg.ops import _fbgemm

IN_UNITS = "bias[c] / (x_scale·w_scale[c])"


@stage("bias", output="acc int32 [C]", formula=f"acc[c] = acc_0[c] + sat32(rne({IN_UNITS}))")
def rounded(acc_0: Array, bias: Array, x_scale: Array, w_scale: Array) -> Array:
    """Round the bias to an integer in accumulator units first."""
    return wrap32(f64(acc_0) + sat32(rne(f64(bias) / (x_scale * w_scale))))


@stage("bias", output="acc int32 [C]", formula=f"acc[c] = acc_0[c] + sat32(half_away({IN_UNITS}))")
def rounded_away(acc_0: Array, bias: Array, x_scale: Array, w_scale: Array) -> Array:
    """Round the bias to an integer in accumulator units first, a tie away from zero."""
    return wrap32(f64(acc_0) + sat32(half_away(f64(bias) / (x_scale * w_scale))))


@stage("bias", output="acc int32 [C]", formula=f"acc[c] = acc_0[c] + sat32(truncated({IN_UNITS}))")
def truncated(acc_0: Array, bias: Array, x_scale: Array, w_scale: Array) -> Array:
    """Drop the fraction of the bias in accumulator units."""
    return wrap32(f64(acc_0) + sat32(toward_zero(f64(bias) / (x_scale * w_scale))))


@stage("bias", output="acc int32 [C]", formula=f"acc[c] = acc_0[c] + sat32(floor({IN_UNITS}))")
def floored(acc_0: Array, bias: Array, x_scale: Array, w_scale: Array) -> Array:
    """Round the bias in accumulator units down."""
    return wrap32(f64(acc_0) + sat32(downward(f64(bias) / (x_scale * w_scale))))


@stage(
    "bias", output="acc int32 [C]", formula="acc[c] = acc_0[c] + sat32(rne(bias[c] / w_scale[c]))"
)
def in_weight_units(acc_0: Array, bias: Array, w_scale: Array) -> Array:
    """Divide the bias by the weights' scale alone."""
    return wrap32(f64(acc_0) + sat32(rne(f64(bias) / f64(w_scale))))


@stage("bias", output="acc int32 [C]", formula="acc[c] = acc_0[c] + sat32(rne(bias[c] / x_scale))")
def in_input_units(acc_0: Array, bias: Array, x_scale: Array) -> Array:
    """Divide the bias by the input's scale alone."""
    return wrap32(f64(acc_0) + sat32(rne(f64(bias) / f64(x_scale))))


@stage("bias", output="acc int32 [C]", formula="acc[c] = acc_0[c] + sat32(rne(bias[c] / y_scale))")
def in_output_units(acc_0: Array, bias: Array, y_scale: Array) -> Array:
    """Divide the bias by the result's scale, and add it to the accumulator."""
    return wrap32(f64(acc_0) + sat32(rne(f64(bias) / f64(y_scale))))


@stage("bias", output="acc int32 [C]", formula="acc[c] = acc_0[c] + sat32(rne(bias[c]))")
def unscaled(acc_0: Array, bias: Array) -> Array:
    """Add the real bias to the accumulator as if it were an integer."""
    return wrap32(f64(acc_0) + sat32(rne(f64(bias))))


@stage("bias", output="z int32 [C]", formula="z[c] = z_0[c] + rne(bias[c] / y_scale)")
def after_requantizing(z_0: Array, bias: Array, y_scale: Array) -> Array:
    """Add the bias in steps of the result, behind requantization."""
    return sat32(f64(z_0) + rne(f64(bias) / f64(y_scale)))


ROUNDED = {"": rounded, "half-away": rounded_away, "truncated": truncated, "floor": floored}
UNITS = {
    "weight-scale": in_weight_units,
    "input-scale": in_input_units,
    "output-scale": in_output_units,
    "unscaled": unscaled,
}
INTEGER = ("textbook", "qnnpack")
"""What the names of those ways back begin with that round the bias to an integer themselves."""


BIAS = "bias"
"""The symbol of a bias that the layer's own stages no longer see."""


def _apart(plan: Plan) -> Plan:
    """As of a layer without bias; the bias is at hand for other stages."""
    return plan.without("b").having(**{BIAS: plan.values["b"]})


def _adding(made: Stage, symbol: str) -> Edit:
    return lambda stages: after(stages, symbol, made)


def _has_bias(plan: Plan) -> bool:
    return plan.kernel is not None and plan.has("b")


def _rounded(plan: Plan) -> Variants:
    if not _has_bias(plan):
        return
    assert plan.kernel is not None  # noqa: S101 - for the type checker
    for name, made in ROUNDED.items():
        if not (plan.kernel.way_back.startswith(INTEGER) and not name):
            yield name, _apart(plan).edited(_adding(made, "acc"))


def _units(plan: Plan) -> Variants:
    if not _has_bias(plan):
        return
    for name, made in UNITS.items():
        yield name, _apart(plan).edited(_adding(made, "acc"))
    yield (
        "after-requantizing",
        _apart(plan).edited(_adding(after_requantizing, "z")),
    )


def _forgotten(plan: Plan) -> Variants:
    if _has_bias(plan):
        yield "", _apart(plan)


def _times(plan: Plan) -> Variants:
    if _has_bias(plan):
        yield "twice", plan.having(b=2 * plan.values["b"])
        yield "subtracted", plan.having(b=-plan.values["b"])


def _float(plan: Plan) -> Variants:
    if not _has_bias(plan):
        return
    assert plan.kernel is not None  # noqa: S101 - for the type checker
    if plan.kernel.way_back.startswith(INTEGER):
        yield "", plan.edited(_in_float)


def _in_float(stages: Stages) -> Stages:
    if making(stages, "b_q") is None:
        return stages
    kept = tuple(stage for stage in stages if stage.output != "b_q")
    return in_place_of(kept, "bias", _fbgemm.unit, _fbgemm.fbgemm_bias)


HYPOTHESES = (
    Hypothesis(
        "bias-forgotten",
        "bias",
        "the bias is not added",
        "a quantized layer keeps its bias in float32",
        "add the bias",
        _forgotten,
    ),
    Hypothesis(
        "bias-times",
        "bias",
        "the bias is added twice, or subtracted",
        "a batch normalization folded twice; a bias kept with the other sign",
        "add the bias once",
        _times,
    ),
    Hypothesis(
        "bias-units",
        "bias",
        "the bias is added in other units than the accumulator's",
        "one accumulator unit is x_scale·w_scale[c]",
        "divide the bias by x_scale·w_scale[c] before adding it to the accumulator",
        _units,
    ),
    Hypothesis(
        "bias-rounded",
        "bias",
        "the bias is rounded to an integer before it is added",
        "textbooks and QNNPACK round it; FBGEMM and oneDNN keep it in float32",
        "add the bias in float32: f32(acc) + f32(b / f32(x_scale·w_scale[c]))",
        _rounded,
    ),
    Hypothesis(
        "bias-float",
        "bias",
        "the bias is added in float32, not rounded to an integer",
        "FBGEMM and oneDNN keep the bias in float32; pytorch#88800 for QNNPACK, which rounds",
        "round the bias to int32 in accumulator units, as this engine does; or keep it in float32"
        " where it does",
        _float,
    ),
)
