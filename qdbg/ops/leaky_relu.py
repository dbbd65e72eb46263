"""LeakyReLU: values below zero are multiplied by a small slope."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64
from qdbg.core.op import Call, Example, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _elementwise


@stage(
    "leaky relu",
    output="u float32 [I]",
    formula="u[i] = d[i] if d[i] > 0 else f32(d[i]·f32(slope))",
)
def leaky(d: Array, slope: Array) -> Array:
    """Values above zero stay, the others are multiplied by the slope."""
    return np.where(d > 0, d, f32(f64(d) * f32(slope)))


def operands(call: Call) -> dict[str, Array]:
    """As every element-wise op, and the slope. Raises NotSimulated."""
    slope = np.array(float(call.setting("negative_slope", 0.01)))
    return _elementwise.operands(call, copies=True) | {"slope": slope}


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same kernel under every engine."""
    return _elementwise.stages_of(leaky)(arithmetic, values)


EXAMPLE = Example(
    "fbgemm-avx2",
    {
        "x_q": np.array([8, 12], np.uint8),
        "x_scale": 1.0,
        "x_zp": 10,
        "y_scale": 0.5,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
        "slope": 0.25,
        "block": np.array([False, False]),
    },
    (9, 14),  # −2·0.25 / 0.5 = −1, 2 / 0.5 = 4
)

OPS = (
    Op(
        "leaky_relu",
        "LeakyReLU",
        operands,
        stages,
        (EXAMPLE,),
        ("quantized::leaky_relu", "aten::leaky_relu", "aten::leaky_relu_"),
    ),
)
