"""GELU: the value times the part of a normal distribution below it, or tanh's approximation."""

from __future__ import annotations

import math

import numpy as np

from qdbg.core.arithmetic import add32, f32, f64, fma32, mul32
from qdbg.core.exponential import erf_vector, tanh_vector
from qdbg.core.op import Call, Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops import _elementwise
from qdbg.ops._elementwise import BLOCK

ROOT = math.sqrt(0.5)
BETA, KAPPA = math.sqrt(2 / math.pi), 0.044715
"""The numbers of tanh's approximation, as the formulas below write them."""
LAST_BITS = 4e-16
"""How far the C library's float64 functions, which reach 1, may be off."""


@stage(
    "gelu",
    output="u float32 [I]",
    formula="u[i] = f32(f32(d[i]·0.5)·f32(1 + erf(f32(d[i]·f32(√0.5)))))",
)
def gelu_block(d: Array) -> Array:
    """Half of the value times 1 plus the error function. This element lies in a whole vector block:
    the error function is PyTorch's own polynomial, right to about 1.5e-7, in float32."""
    bell = add32(f32(1), erf_vector(mul32(d, f32(ROOT))))
    return mul32(mul32(d, f32(0.5)), bell)


@stage("gelu", output="u float32 [I]", formula="u[i] = f32(d[i]·0.5·(1 + erf(d[i]·√0.5)))")
def gelu_tail(d: Array) -> Array:
    """Half of the value times 1 plus the error function. This element is left over at the end of a
    row: it is computed in float64 and rounded once."""
    return f32(_gelu(d, 0.0))


@stage(
    "gelu",
    output="u float32 [I]",
    formula="u[i] = f32(f32(0.5·d[i])·f32(1 + tanh(f32(f32(√(2/π))·"
    "fma32(f32(0.044715), f32(f32(d[i]·d[i])·d[i]), d[i])))))",
)
def gelu_tanh_block(d: Array) -> Array:
    """Half of the value times 1 plus a hyperbolic tangent, which stands for the error function.
    This element lies in a whole vector block: every operation is float32, and the tangent is the
    vector library's."""
    bell = add32(f32(1), tanh_vector(mul32(f32(BETA), fma32(f32(KAPPA), mul32(mul32(d, d), d), d))))
    return mul32(mul32(f32(0.5), d), bell)


@stage(
    "gelu",
    output="u float32 [I]",
    formula="u[i] = f32(0.5·d[i]·(1 + tanh(√(2/π)·(d[i] + 0.044715·f32(f32(d[i]·d[i])·d[i])))))",
)
def gelu_tanh_tail(d: Array) -> Array:
    """Half of the value times 1 plus a hyperbolic tangent, which stands for the error function.
    This element is left over at the end of a row: all but the cube is computed in float64."""
    return f32(_gelu_tanh(d, 0.0))


ERF = split(BLOCK, gelu_block, gelu_tail)
TANH = split(BLOCK, gelu_tanh_block, gelu_tanh_tail)


def _gelu(d: Array, off: float) -> Array:
    values, places = np.unique(f64(d), return_inverse=True)
    erf = np.array([math.erf(each * ROOT) for each in values.tolist()])
    return np.asarray(f64(d) * 0.5 * (1 + (erf[places].reshape(d.shape) + off)))


def _gelu_tanh(d: Array, off: float) -> Array:
    inner = f64(d) + KAPPA * f64(mul32(mul32(f32(d), f32(d)), f32(d)))
    return np.asarray(0.5 * f64(d) * (1 + (np.tanh(BETA * inner) + off)))


def operands(call: Call) -> dict[str, Array]:
    """As every element-wise op, and whether tanh's approximation is asked for. Raises
    NotSimulated."""
    bent = call.setting("approximate", "none") == "tanh"
    return _elementwise.operands(call) | {"approximate": np.array(bent)}


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same kernel under every engine. Raises NotSimulated where the last bit of the C
    library's float64 function decides."""
    bent = bool(values["approximate"])
    function, tail, exact = (TANH, gelu_tanh_tail, _gelu_tanh) if bent else (ERF, gelu_tail, _gelu)
    if arithmetic.engine != "textbook":
        _elementwise.refuse_doubtful_tail(
            arithmetic, values, lambda d: (f32(exact(d, -LAST_BITS)), f32(exact(d, LAST_BITS)))
        )
    return _elementwise.stages_of(function, textbook=tail)(arithmetic, values)


EXAMPLE = Example(
    "textbook",
    {
        "x_q": np.array([10, 110, 12], np.uint8),
        "x_scale": 0.5,
        "x_zp": 10,
        "y_scale": 0.5,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
        "block": np.array([False, False, False]),
        "approximate": False,
    },
    (10, 110, 12),  # 0, 50 as it is, and 0.8413 of 1, which are 1.68 steps
)
OPS = (Op("gelu", "GELU", operands, stages, (EXAMPLE,), ("aten::gelu", "aten::gelu_")),)
