"""Tanh."""

from __future__ import annotations

from qdbg.core.arithmetic import Arithmetic, f32, f64, rne, sat32, tanh32
from qdbg.core.op import Op
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _elementwise, hardswish
from qdbg.ops._clamp import clamp_each


@stage("tanh", output="u float32 [I]", formula="u[i] = tanh(d[i])")
def tanh(d: Array) -> Array:
    """The hyperbolic tangent, between −1 and 1."""
    return tanh32(d)


@stage("quantize", output="z int32 [I]", formula="z[i] = rne(f32(128·u[i]) + 128)")
def table_quantize(u: Array) -> Array:
    """QNNPACK's table: the range −1 to 1 spread over the 256 bytes."""
    return sat32(rne(f32(f64(f32(128 * f64(u))) + 128)))


COMMON = _elementwise.stages_of(tanh)


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """QNNPACK has a table of its own for quint8."""
    if arithmetic.engine == "qnnpack" and int(values["qmin"]) == 0:
        return (hardswish.dequantize, tanh, table_quantize, clamp_each)
    return COMMON(arithmetic, values)


OPS = (Op("tanh", "Tanh", _elementwise.operands, stages, (), ("aten::tanh", "aten::tanh_")),)
