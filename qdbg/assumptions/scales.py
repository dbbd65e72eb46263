"""The scales of inputs, weights and results."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Plan, Stages, in_place_of
from qdbg.core.arithmetic import f16, f64
from qdbg.core.quantity import Array
from qdbg.core.roundings import decimals, significant
from qdbg.core.stage import stage
from qdbg.core.sums import result_shape


def _scales(plan: Plan) -> Variants:
    if plan.kernel is None:
        return
    scale = np.asarray(plan.values["w_scale"])
    if scale.ndim and scale.size > 1:
        for name, one in {"first": scale[0], "largest": scale.max(), "mean": scale.mean()}.items():
            yield name, plan.having(w_scale=np.full_like(scale, one))
        yield "reversed", plan.having(w_scale=scale[::-1])
        yield "next-channel", plan.having(w_scale=np.roll(scale, -1))


FORGOTTEN = {
    "input": ("x_scale",),
    "weight": ("w_scale",),
    "input-and-weight": ("x_scale", "w_scale"),
    "result": ("y_scale",),
    "all": ("x_scale", "w_scale", "y_scale"),
}


def _forgotten(plan: Plan) -> Variants:
    for name, symbols in FORGOTTEN.items():
        if plan.has(*symbols):
            yield name, plan.having(**{s: np.ones_like(plan.values[s]) for s in symbols})


def _inverted(plan: Plan) -> Variants:
    for letter, name in (("y", "result"), ("x", "input"), ("w", "weight")):
        if plan.has(f"{letter}_scale"):
            yield name, plan.having(**{f"{letter}_scale": 1 / plan.values[f"{letter}_scale"]})


PRECISIONS: dict[str, Callable[[Array], Array]] = {
    "float16": lambda scale: f64(f16(scale)),
    "bfloat16": partial(significant, bits=8),
    "4-decimals": partial(decimals, places=4),
}
"""Fewer digits than a scale has; torch prints a tensor with 4 decimals."""
OF = {
    "": ("x_scale", "w_scale", "y_scale"),
    "-of-input": ("x_scale",),
    "-of-weight": ("w_scale",),
    "-of-result": ("y_scale",),
    "-of-input-and-result": ("x_scale", "y_scale"),
}


def _precision(plan: Plan) -> Variants:
    for name, how in PRECISIONS.items():
        for of, symbols in OF.items():
            if plan.has(*symbols) and (not of or name == "4-decimals"):
                made = {symbol: how(plan.values[symbol]) for symbol in symbols}
                if all(np.all(scale) for scale in made.values()):
                    yield f"{name}{of}", plan.having(**made)


@stage("mac", output="acc float64 [C]", formula="acc[c] = Σₖ x_c[k]·w_q[c,k]·k_scale[k]")
def mac_by_inputs(x_c: Array, w_q: Array, k_scale: Array) -> Array:
    """Multiply each weight by the scale with the number of its input, not of its output."""
    sums = f64(x_c).reshape(-1, x_c.shape[-1]) @ (f64(w_q) * k_scale).T
    return np.asarray(sums.reshape(*result_shape(x_c), len(w_q)))


@stage("requantize", output="s float64 [C]", formula="s[c] = (x_scale·acc[c] + b[c]) / y_scale")
def scaled_by_inputs(x_scale: Array, acc: Array, b: Array, y_scale: Array) -> Array:
    """The real value over the result's scale, in float64; the weights' scales are in the sum."""
    return (f64(x_scale) * acc + f64(b)) / f64(y_scale)


@stage("requantize", output="s float64 [C]", formula="s[c] = x_scale·acc[c] / y_scale")
def scaled_by_inputs_no_bias(x_scale: Array, acc: Array, y_scale: Array) -> Array:
    """The real value over the result's scale, in float64; the weights' scales are in the sum."""
    return f64(x_scale) * acc / f64(y_scale)


def _by_inputs(stages: Stages) -> Stages:
    bias = any(stage.output == "b_q" for stage in stages)
    kept = tuple(stage for stage in stages if stage.name not in {"multiplier", "bias"})
    scaled = scaled_by_inputs if bias else scaled_by_inputs_no_bias
    return in_place_of(in_place_of(kept, "mac", mac_by_inputs), "requantize", scaled)


def _axis(plan: Plan) -> Variants:
    """Only where there are as many inputs as outputs does numpy multiply along the wrong axis."""
    scale = np.asarray(plan.whole.get("w_scale", 1.0))
    if plan.kernel is None or scale.ndim == 0 or np.any(plan.values["w_zp"]):
        return
    inputs = plan.values["x_channels"] if plan.has("x_channels") else plan.values["w_q"].shape[-1]
    if scale.size < 2 or int(inputs) != scale.size or not plan.one_group:  # noqa: PLR2004 - channels
        return
    taps = plan.values["w_q"].shape[-1] // scale.size
    exact = plan.with_kernel(accumulator="exact", skips_padding=False, way_back="textbook")
    yield "", exact.having(k_scale=np.tile(scale, taps)).edited(_by_inputs)


HYPOTHESES = (
    Hypothesis(
        "channel-scales",
        "scales",
        "the weights' scales are not those of their channels",
        "per-channel weights: one scale for each output channel, axis 0",
        "use w_scale[c] for output channel c",
        _scales,
        moves=True,
    ),
    Hypothesis(
        "scale-forgotten",
        "scales",
        "a scale is left out",
        "forum 69512: M[c] = x_scale·w_scale[c] / y_scale, not 1 / y_scale",
        "multiply the accumulator by x_scale·w_scale[c], and divide by y_scale",
        _forgotten,
    ),
    Hypothesis(
        "scale-inverted",
        "scales",
        "a scale is multiplied where it should be divided by, or the other way round",
        "M[c] = x_scale·w_scale[c] / y_scale",
        "multiply by x_scale and w_scale, divide by y_scale",
        _inverted,
    ),
    Hypothesis(
        "scale-precision",
        "scales",
        "a scale has fewer digits than PyTorch's",
        "forum 157066: torch prints a scale as tensor([0.0078]); hardware keeps 16-bit ones",
        "take the scales as float64 from the model: q_scale(), scale.item()",
        _precision,
    ),
    Hypothesis(
        "scale-axis",
        "scales",
        "the weights' scales go along the inputs, not along the outputs",
        "numpy's w_q * w_scale multiplies along the last axis of [out, in]",
        "multiply w_q by w_scale[:, None], or the sums by w_scale",
        _axis,
    ),
)
