"""A quantized tensor and a number."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import at_least, i32
from qdbg.core.op import BYTES, Call, NotSimulated, output_operands, quantized_operand
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import stage
from qdbg.ops._elementwise import BLOCK
from qdbg.ops._lanes import block_lanes, row_major, strides_of


@stage("relu", output="y_q byte [I]", formula="y_q[i] = max(t_q[i], y_zp)")
def relu(t_q: Array, y_zp: Array) -> Array:
    """The fused ReLU: y_zp stands for the real value 0, so nothing below it remains."""
    return at_least(i32(t_q), i32(y_zp))


def operands(call: Call) -> dict[str, Array]:
    """x_q, the number c, the parameters of both tensors and which elements lie in whole vector
    blocks. Raises NotSimulated."""
    if call.named("out") is not None:
        raise NotSimulated("it writes into a tensor that it was given")
    x = quantized_operand(call, 0, BYTES)
    out = call.node.strides or row_major(call.node.shape)
    return {
        "x_q": x.q,
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "c": number(call),
        **output_operands(call, BYTES),
        BLOCK: block_lanes(x.q.shape, [out, strides_of(x)], call.threads),
    }


def number(call: Call) -> Array:
    """The number, float64; it may have been given as a tensor of one. Raises NotSimulated."""
    held = call.named("b")
    found = call.setting("b") if held is None else held
    if isinstance(found, QTensor) or found is None or np.size(found) != 1:
        raise NotSimulated("its second operand is not one number")
    return np.array(float(np.asarray(found).reshape(())), np.float64)
