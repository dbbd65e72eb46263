"""ReLU on its own: nothing below the zero point remains."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import at_least, i32
from qdbg.core.op import BYTES, Call, Example, Op, output_operands, quantized_operand
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage


@stage("relu", output="y_q byte [I]", formula="y_q[i] = max(x_q[i], x_zp)")
def relu(x_q: Array, x_zp: Array) -> Array:
    """x_zp stands for the real value 0, so every integer below it becomes x_zp."""
    return at_least(i32(x_q), i32(x_zp))


def operands(call: Call) -> dict[str, Array]:
    """x_q in its own shape. Raises NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    return {"x_q": x.q, "x_scale": x.qparams.scale, "x_zp": x.qparams.zero_point} | (
        output_operands(call, dtypes=BYTES)
    )


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same for every arithmetic."""
    del arithmetic, values
    return (relu,)


EXAMPLE = Example(
    "textbook", {"x_q": np.array([3, 128, 200], np.uint8), "x_zp": 128}, (128, 128, 200)
)

OPS = (
    Op("relu", "ReLU", operands, stages, (EXAMPLE,), ("aten::relu", "aten::relu_"), rows=("x_q",)),
)
