"""Linear with a fused LeakyReLU: one call of oneDNN."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, rne, sat32, saturate
from qdbg.core.op import Call, Example, Kernel, NotSimulated, Op
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _onednn, _textbook, linear
from qdbg.ops._kernel import weighted_stages


@stage(
    "leaky relu",
    output="u float32 [C]",
    formula="u[c] = v[c] if v[c] > 0 else f32(v[c]·f32(slope))",
)
def leaky(v: Array, slope: Array) -> Array:
    """Values above zero stay, the others are multiplied by the slope."""
    with np.errstate(invalid="ignore"):
        return np.where(v > 0, v, f32(f64(v) * f32(slope)))


@stage("round", output="r int32 [C]", formula="r[c] = rne(s[c] if s[c] > 0 else s[c]·slope)")
def textbook_leaky(s: Array, slope: Array) -> Array:
    """Values below zero are multiplied by the slope; then round to the nearest integer, a tie (.5)
    to the even neighbour."""
    return sat32(rne(np.where(s > 0, s, s * slope)))


def operands(call: Call) -> dict[str, Array]:
    """As Linear's, and the slope. Raises NotSimulated."""
    return linear.operands(call) | {"slope": np.array(float(call.setting("negative_slope", 0.01)))}


@stage("relu", output="u float32 [C]", formula="u[c] = max(v[c], 0), the slope being 0")
def flat(v: Array, slope: Array) -> Array:
    """With the slope 0 oneDNN takes its plain ReLU."""
    del slope
    return saturate(v, 0, np.inf)


def _with_slope(each: Stage, values: Values) -> tuple[Stage, ...]:
    if each is _onednn.onednn_requantize:
        return (leaky if values["slope"] else flat, _onednn.onednn_requantize_relu)
    return (textbook_leaky,) if each is _textbook.textbook_round else (each,)


def stages(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """Those of Linear, with the slope before the output's scale."""
    if own.library not in {"oneDNN", "by hand"}:
        raise NotSimulated(f"only oneDNN has this op, not {own.library}")
    plain = weighted_stages(own, values, relu=False)
    return tuple(made for each in plain for made in _with_slope(each, values))


EXAMPLE = Example("textbook", {**linear.TEXTBOOK_EXAMPLE.operands, "slope": 0.5}, (225,))

OPS = (
    Op(
        "linear_leaky_relu",
        "Linear + LeakyReLU",
        operands,
        stages,
        (EXAMPLE,),
        ("quantized::linear_leaky_relu",),
        linear.kernel,
        image=False,
    ),
)
