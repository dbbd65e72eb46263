"""Threshold: a value that does not exceed a bound is replaced."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32
from qdbg.core.op import Call, Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _elementwise


@stage(
    "threshold",
    output="u float32 [I]",
    formula="u[i] = d[i] if d[i] > f32(threshold) else f32(value)",
)
def exceed(d: Array, threshold: Array, value: Array) -> Array:
    """A value above the threshold stays, any other one is replaced by one and the same value."""
    return np.where(d > f32(threshold), d, f32(value))


def operands(call: Call) -> dict[str, Array]:
    """As every element-wise op, the threshold and what takes the place. Raises NotSimulated."""
    return _elementwise.operands(call) | {
        "threshold": np.array(float(call.setting("threshold"))),
        "value": np.array(float(call.setting("value"))),
    }


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same kernel under every engine."""
    return _elementwise.stages_of(exceed)(arithmetic, values)


EXAMPLE = Example(
    "fbgemm-avx2",
    {
        "x_q": np.array([11, 12, 13], np.uint8),
        "x_scale": 0.5,
        "x_zp": 10,
        "y_scale": 0.5,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
        "block": np.array([False, False, False]),
        "threshold": 1.0,
        "value": 7.0,
    },
    (24, 24, 13),  # 7 is 14 steps
)

OPS = (
    Op(
        "threshold",
        "Threshold",
        operands,
        stages,
        (EXAMPLE,),
        ("quantized::threshold", "aten::threshold", "aten::threshold_"),
    ),
)
