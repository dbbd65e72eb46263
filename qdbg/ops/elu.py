"""ELU and CELU: below zero the value bends towards −alpha along an exponential."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import Arithmetic, expm1_32, f32, f64
from qdbg.core.op import Call, Op
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _elementwise


@stage(
    "elu",
    output="u float32 [I]",
    formula="u[i] = d[i] if d[i] > 0 else"
    " f32(f32(expm1(f32(d[i]·f32(in_scale)))·f32(alpha))·f32(out_scale))",
)
def elu(d: Array, in_scale: Array, alpha: Array, out_scale: Array) -> Array:
    """Values above zero stay; below zero the exponential less 1 takes over, times alpha."""
    bent = expm1_32(f32(f64(d) * f32(in_scale)))
    return np.where(d > 0, f32(f64(d) * f32(out_scale)), _scaled(bent, alpha, out_scale))


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


COMMON = _elementwise.stages_of(elu)


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """Raises NotSimulated where the last bit of the exponential decides."""
    if arithmetic.engine != "textbook":
        more = (values["in_scale"], values["alpha"], values["out_scale"])
        inv = _elementwise.reciprocal.compute(values["y_scale"])
        _elementwise.refuse_doubtful(values, lambda d: elu.compute(d, *more), inv)
    return COMMON(arithmetic, values)


OPS = (
    Op("elu", "ELU", operands, stages, (), ("quantized::elu", "aten::elu")),
    Op("celu", "CELU", celu_operands, stages, (), ("quantized::celu", "aten::celu")),
)
