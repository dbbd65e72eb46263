"""Mean over the last axes."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import Arithmetic, f32, f64, rne, sat32
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops._clamp import clamp_each
from qdbg.ops._lanes import is_row_major
from qdbg.ops.avg_pool import average_qnnpack, average_textbook, centred_sum, raw_sum

PIXEL = ("n", "c", "h", "w")
"""The axes of an image."""
IMAGE = (2, 3)
"""The axes of an image's pixels, for which QNNPACK has a kernel."""


@stage("mean", output="z int32 [I]", formula="z[i] = rne(f32(f32(acc[i]) / f32(n[i])))")
def mean_raw(acc: Array, n: Array) -> Array:
    """Divide by the number of values and round half to even; the zero point never left the sum."""
    return sat32(rne(f32(f64(f32(acc)) / f64(f32(n)))))


def operands(call: Call) -> dict[str, Array]:
    """window: the values of each mean on the last axis. Raises NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    given = call.setting("dim")
    axes = range(x.q.ndim) if not given else [d % x.q.ndim for d in np.atleast_1d(given)]
    dims = tuple(sorted(axes))
    if dims != tuple(range(x.q.ndim - len(dims), x.q.ndim)):
        raise NotSimulated(
            f"it is the mean over the axes {list(dims)}; only that over the last ones is claimed,"
            " others are float32 sums of PyTorch's own order"
        )
    if not is_row_major(x):
        raise NotSimulated(
            "its operand is not row-major; PyTorch then adds up float32 numbers in its own order"
        )
    kept = x.q.shape[: x.q.ndim - len(dims)]
    window = x.q.reshape(*kept, -1)
    n = np.full(kept, window.shape[-1])
    shape = call.node.shape
    return {
        "window": window.reshape(*shape, -1),
        "n": n.reshape(shape), "div": n.reshape(shape), "size": n.reshape(shape),
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "image": np.array(dims == IMAGE and x.q.ndim == len(PIXEL) and x.qparams.dtype == "quint8"),
        **output_operands(call, BYTES),
    }  # fmt: skip


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """QNNPACK has a kernel of its own for images."""
    if arithmetic.engine == "textbook":
        return (centred_sum, average_textbook, clamp_each)
    if arithmetic.engine == "qnnpack" and bool(values["image"]):
        return (centred_sum, average_qnnpack, clamp_each)
    return (raw_sum, mean_raw, clamp_each)


EXAMPLE = Example(
    "fbgemm-vnni",
    {
        "window": np.array([[3, 9, 5, 9]], np.uint8),
        "n": np.array([4]),
        "div": np.array([4]),
        "size": np.array([4]),
        "x_scale": 1.0,
        "x_zp": 1,
        "y_zp": 1,
        "image": False,
        "qmin": 0,
        "qmax": 255,
    },
    (6,),  # 26 / 4 = 6.5, to even
)

OPS = (Op("mean", "Mean", operands, stages, (EXAMPLE,), ("aten::mean",)),)
