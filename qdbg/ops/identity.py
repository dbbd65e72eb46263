"""Identity and Dropout: at inference the integers pass unchanged."""

from __future__ import annotations

import numpy as np

from qdbg.core.op import Call, Example, NotSimulated, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage, Values, stage


@stage("copy", output="y_q byte [I]", formula="y_q[i] = x_q[i]")
def copy(x_q: Array) -> Array:
    """Nothing happens to the integers: at inference this layer passes them on."""
    return x_q


def operands(call: Call) -> dict[str, Array]:
    """x_q: integers, or float32 where the model is not quantized yet. Raises NotSimulated."""
    if len(call.inputs) != 1:
        raise NotSimulated(f"it has {len(call.inputs)} tensor operands where one is known")
    x = call.inputs[0]
    return {"x_q": x.q if isinstance(x, QTensor) else x}


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same for every arithmetic."""
    del arithmetic, values
    return (copy,)


OPS = (
    Op(
        "identity",
        "Identity",
        operands,
        stages,
        (Example("textbook", {"x_q": np.array([7, 255], np.uint8)}, (7, 255)),),
    ),
)
