"""Max pooling: the largest integer of each window."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import i32
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops._pool import pool_windows, pooled


@stage("largest", output="y_q byte [I]", formula="y_q[i] = max(window[i])")
def largest(window: Array) -> Array:
    """The largest integer of the window; scale and zero point stay the input's. Positions outside
    the image do not count."""
    return i32(window.max(axis=-1))


def _op(axes: int) -> Op:
    def operands(call: Call) -> dict[str, Array]:
        """window [N, C, out …, taps]. Raises NotSimulated."""
        x = quantized_operand(call, dtypes=BYTES)
        image, geometry = pooled(call, x.q, axes, dilates=True)
        window = pool_windows(image, geometry, call.node.shape[-axes:], x.qparams.qmin)
        return {
            "window": window.reshape(*call.node.shape, -1),
            "x_scale": x.qparams.scale,
            "x_zp": x.qparams.zero_point,
            "clamps": np.array(
                x.qparams.dtype == "quint8"
                and geometry.padded
                and max(geometry.dilation) > 1
                and not call.setting("ceil_mode")
            ),
            **output_operands(call, BYTES),
        }

    return Op(
        f"max_pool{axes}d",
        f"MaxPool{axes}d",
        operands,
        stages,
        (EXAMPLE,),
        tuple(f"{room}max_pool{axes}d" for room in ("aten::quantized_", "aten::", "quantized::")),
    )


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """Raises NotSimulated for what QNNPACK does otherwise."""
    if arithmetic.engine == "qnnpack" and bool(values["clamps"]):
        raise NotSimulated(
            "PyTorch's result is wrong: QNNPACK moves dilated positions outside the image to its"
            " border"
        )
    return (largest,)


EXAMPLE = Example("textbook", {"window": np.array([[3, 9, 5]], np.uint8), "clamps": False}, (9,))

OPS = tuple(_op(axes) for axes in (1, 2, 3))
