"""ELU and CELU: below zero the value bends towards −alpha along an exponential."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import expm1_32, f32, f64
from qdbg.core.exponential import EXPM1F, expm1_vector, within
from qdbg.core.op import Call, Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops import _elementwise

FLAT = f32(-18.714973)
"""Below this the C library's exponential less 1 is −1: nothing else is near enough."""


@stage(
    "elu",
    output="u float32 [I]",
    formula="u[i] = f32(d[i]·f32(out_scale)) if d[i] > 0 else"
    " f32(expm1(f32(d[i]·f32(in_scale)))·f32(f32(alpha)·f32(out_scale)))",
)
def elu_block(d: Array, in_scale: Array, alpha: Array, out_scale: Array) -> Array:
    """Values above zero stay; below zero the exponential less 1 takes over, times alpha. In a
    whole vector block that exponential is the vector library's, which may be off in the last bit
    and counts as 0 below −16.6355."""
    bent = expm1_vector(f32(f64(d) * f32(in_scale)))
    return np.where(d > 0, f32(f64(d) * f32(out_scale)), _scaled(bent, alpha, out_scale))


@stage(
    "elu",
    output="u float32 [I]",
    formula="u[i] = f32(d[i]·f32(out_scale)) if d[i] > 0 else"
    " f32(expm1(f32(d[i]·f32(in_scale)))·f32(f32(alpha)·f32(out_scale)))",
)
def elu_tail(d: Array, in_scale: Array, alpha: Array, out_scale: Array) -> Array:
    """Values above zero stay; below zero the exponential less 1 takes over, times alpha. This
    element is left over at the end of a row."""
    bent = expm1_32(f32(f64(d) * f32(in_scale)))
    return np.where(d > 0, f32(f64(d) * f32(out_scale)), _scaled(bent, alpha, out_scale))


elu = split(_elementwise.BLOCK, elu_block, elu_tail)


def _scaled(bent: Array, alpha: Array, out_scale: Array) -> Array:
    return f32(f64(bent) * f32(f64(f32(alpha)) * f32(out_scale)))


def operands(call: Call) -> dict[str, Array]:
    """As every element-wise op, alpha and the scale inside the exponential. Raises
    NotSimulated."""
    alpha = float(call.setting("alpha", 1.0))
    inner = call.setting("input_scale", 1.0)
    return _elementwise.operands(call) | {
        "alpha": np.array(alpha),
        "in_scale": np.array(float(inner)),
        "out_scale": np.array(float(call.setting("scale", 1.0))),
    }


def celu_operands(call: Call) -> dict[str, Array]:
    """The scale inside the exponential is 1 / alpha. Raises NotSimulated."""
    alpha = float(call.setting("alpha", 1.0))
    return operands(call) | {"in_scale": np.array(1.0 / alpha), "out_scale": np.array(1.0)}


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """Raises NotSimulated where the last bit of the C library's exponential decides."""
    if arithmetic.engine != "textbook":
        _elementwise.refuse_doubtful_tail(arithmetic, values, lambda d: _ends(d, values))
    return _elementwise.stages_of(elu, textbook=elu_tail)(arithmetic, values)


def _ends(d: Array, values: Values) -> tuple[Array, Array]:
    """The smallest and the largest result with the C library's exponential less 1."""
    alpha, out_scale = values["alpha"], values["out_scale"]
    inner = f32(f64(d) * f32(values["in_scale"]))
    sure = elu_tail.compute(d, values["in_scale"], alpha, out_scale)
    exact = (d > 0) | (inner == 0) | (inner < FLAT)
    bents = within(np.expm1(f64(inner)), EXPM1F)
    low, high = (np.where(exact, sure, _scaled(bent, alpha, out_scale)) for bent in bents)
    return low, high


EXAMPLE = Example(
    "textbook",
    {
        "x_q": np.array([12, 0], np.uint8),
        "x_scale": 1.0,
        "x_zp": 10,
        "y_scale": 0.5,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
        "block": np.array([False, False]),
        "in_scale": 1.0,
        "alpha": 1.0,
        "out_scale": 1.0,
    },
    (14, 8),
)

OPS = (
    Op("elu", "ELU", operands, stages, (EXAMPLE,), ("quantized::elu", "aten::elu")),
    Op("celu", "CELU", celu_operands, stages, (EXAMPLE,), ("quantized::celu", "aten::celu")),
)
