"""Linear with a fused Tanh: one call of oneDNN."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f64, neighbours, rne, sat32, tanh32
from qdbg.core.op import Call, Example, Kernel, NotSimulated, Op
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _onednn, _textbook, linear
from qdbg.ops._kernel import weighted_stages

ONE = np.float32(9.02)
"""Beyond this oneDNN's hyperbolic tangent is 1 in float32."""


@stage("tanh", output="u float32 [C]", formula="u[c] = tanh(v[c])")
def tanh(v: Array) -> Array:
    """The hyperbolic tangent of the real value, between −1 and 1."""
    return tanh32(v)


@stage("round", output="r int32 [C]", formula="r[c] = rne(tanh(s[c]·y_scale) / y_scale)")
def textbook_tanh(s: Array, y_scale: Array) -> Array:
    """The hyperbolic tangent of the real value, in output steps; then round to the nearest integer,
    a tie (.5) to the even neighbour."""
    return sat32(rne(np.tanh(f64(s) * y_scale) / y_scale))


def _with_tanh(each: Stage) -> tuple[Stage, ...]:
    if each is _onednn.onednn_requantize:
        return (tanh, _onednn.onednn_requantize_relu)
    return (textbook_tanh,) if each is _textbook.textbook_round else (each,)


def stages(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """Those of Linear, with the hyperbolic tangent before the output's scale."""
    if own.library not in {"oneDNN", "by hand"}:
        raise NotSimulated(f"only oneDNN has this op, not {own.library}")
    plain = weighted_stages(own, values, relu=False)
    found = tuple(made for each in plain for made in _with_tanh(each))
    if own.library == "oneDNN":
        _refuse_doubtful(found, values)
    return found


def _refuse_doubtful(found: tuple[Stage, ...], values: Values) -> None:
    """Raise NotSimulated where the last bit of the hyperbolic tangent decides about a byte, or
    where it is taken of what is not a number."""
    place = found.index(tanh)
    made = dict(values)
    for each in found[: place + 1]:
        made[each.output] = each.run(made)
    if np.isnan(made["v"]).any():
        raise NotSimulated(
            "a value is not a number, and what oneDNN makes of its tanh is not known"
        )
    own, low, high = (
        _rest(found[place + 1 :], made | {"u": u}) for u in (made["u"], *neighbours(made["u"]))
    )
    exact = (made["v"] == 0) | (np.abs(made["v"]) > ONE)
    if np.any(((own != low) | (own != high)) & ~exact):
        raise NotSimulated(
            "one of its results lies so near a rounding tie that the last bit of oneDNN's tanh"
            " decides, which is not known"
        )


def _rest(found: tuple[Stage, ...], values: Values) -> Array:
    made = dict(values)
    for each in found:
        made[each.output] = each.run(made)
    return np.asarray(made[found[-1].output])


def operands(call: Call) -> dict[str, Array]:
    """Those of Linear. Raises NotSimulated."""
    return linear.operands(call)


EXAMPLE = Example("textbook", {**linear.TEXTBOOK_EXAMPLE.operands}, (0,))

OPS = (
    Op(
        "linear_tanh",
        "Linear + Tanh",
        operands,
        stages,
        (EXAMPLE,),
        ("quantized::linear_tanh",),
        linear.kernel,
        image=False,
    ),
)
