"""Convolution with a second image added to it, alone or with a fused ReLU: one call of oneDNN."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64, fma32, rne, sat32
from qdbg.core.op import Call, Example, Kernel, NotSimulated, Op, quantized_operand
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _onednn, _textbook, conv
from qdbg.ops._kernel import weighted_stages


@stage(
    "unit",
    output="r_s float32",
    formula="r_s = f32(1 / f32(1 / f32(r_scale)))",
    constant=True,
)
def addend_scale(r_scale: Array) -> Array:
    """The added image's scale as oneDNN gets it: PyTorch hands over reciprocals."""
    return f32(1 / f64(f32(1 / f64(f32(r_scale)))))


@stage("add", output="v float32 [C]", formula="v[c] = fma32(f32(r_q[c] − r_zp), r_s, e[c])")
def add(r_q: Array, r_zp: Array, r_s: Array, e: Array) -> Array:
    """Add the other image in real units, with a single rounding."""
    return fma32(f32(f64(r_q) - f64(r_zp)), r_s, e)


@stage(
    "add",
    output="v float32 [C]",
    formula="v[c] = f32(e[c] + f32(f32(r_q[c] − r_zp)·r_s))",
)
def plain_add(e: Array, r_q: Array, r_zp: Array, r_s: Array) -> Array:
    """Add the other image in real units: oneDNN's plain loops round twice."""
    return f32(f64(e) + f64(f32((f64(r_q) - f64(r_zp)) * r_s)))


@stage(
    "add",
    output="z int32 [C]",
    formula="z[c] = r[c] + rne(r_scale·(r_q[c] − r_zp) / y_scale) + y_zp",
)
def textbook_add(
    r: Array, r_scale: Array, r_q: Array, r_zp: Array, y_scale: Array, y_zp: Array
) -> Array:
    """Add the other image in output steps, and the output's zero point."""
    other = rne(f64(r_scale) * (f64(r_q) - f64(r_zp)) / f64(y_scale))
    return sat32(f64(r) + other + f64(y_zp))


BIASED = replace(_onednn.onednn_bias, output="e", formula="e[c] = f32(d[c] + b[c])")
UNBIASED = replace(_onednn.onednn_no_bias, output="e", formula="e[c] = d[c]")


def operands(call: Call) -> dict[str, Any]:
    """As a convolution's, and the added image r_q [N, out …, C]. Raises NotSimulated."""
    other = quantized_operand(call, 1)
    found = conv.operands(call)
    shape = (*found["x_q"].shape[:-2], len(found["w_q"]))
    r_q = np.moveaxis(other.q, 1, -1)
    if r_q.shape != shape:
        raise NotSimulated("the added image has not the shape of the result")
    qparams = other.qparams
    return found | {"r_q": r_q, "r_scale": qparams.scale, "r_zp": qparams.zero_point}


def _with_sum(each: Stage, values: Values, plain: bool) -> tuple[Stage, ...]:
    if each is _textbook.textbook_zero_point:
        return (textbook_add,)
    if each in {_onednn.onednn_bias, _onednn.onednn_no_bias}:
        bias = BIASED if "b" in values else UNBIASED
        return (bias, addend_scale, plain_add if plain else add)
    return (each,)


def _assembled(own: Kernel, values: Values, relu: bool) -> tuple[Stage, ...]:
    found = weighted_stages(own, values, relu=relu)
    plain = own.way_back == "onednn-conv-plain"
    return tuple(made for each in found for made in _with_sum(each, values, plain))


def _stages(own: Kernel, values: Values, relu: bool) -> tuple[Stage, ...]:
    if own.library not in {"oneDNN", "by hand"}:
        raise NotSimulated(f"only oneDNN has this op, not {own.library}")
    return _assembled(own, values, relu)


def _rivals(own: Kernel, values: Values, relu: bool) -> tuple[tuple[Stage, ...], ...]:
    ways = (replace(own, way_back=way) for way in own.doubt)
    return tuple(_assembled(way, values, relu) for way in ways)


def stages(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """The stages of a convolution with an addition."""
    return _stages(own, values, relu=False)


def stages_relu(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """The stages of a convolution with an addition and a ReLU."""
    return _stages(own, values, relu=True)


PLAIN = next(each for each in conv.example(2) if each.arithmetic == "textbook")
EXAMPLE = Example(
    "textbook",
    {
        **PLAIN.operands,
        "r_q": np.full((1, 1, 1, 1), 3, np.uint8),
        "r_scale": 256.0,
        "r_zp": 1,
    },
    (227,),  # as the plain convolution's 225, and 2 more
)


def _op(relu: bool) -> Op:
    name = f"conv2d_add{'_relu' if relu else ''}"
    return Op(
        name,
        f"Conv2d + addition{' + ReLU' if relu else ''}",
        operands,
        stages_relu if relu else stages,
        (EXAMPLE,),
        (f"quantized::{name}",),
        conv.kernel,
        channels_last=True,
        axes="nhw",
        rows=("x_q", "inside", "r_q"),
        inner=2,
        rivals=partial(_rivals, relu=relu),
    )


OPS = (_op(relu=False), _op(relu=True))
