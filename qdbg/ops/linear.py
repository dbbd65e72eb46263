"""Linear, alone or with a fused ReLU: y = clamp(zero point + round(M · (Σ x·w + bias)))."""

from __future__ import annotations

import numpy as np

from qdbg.core.op import (
    Call,
    Example,
    Kernel,
    Op,
    layer_bias,
    layer_weight,
    output_operands,
    quantized_operand,
)
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values
from qdbg.ops._kernel import onednn_block, weighted_stages
from qdbg.ops._refused import check_multipliers, check_weight_zero_points

WHY = {
    "fbgemm": "the fbgemm engine computes Linear with FBGEMM",
    "x86": "the x86 engine computes Linear with FBGEMM on every CPU",
    "onednn": "the onednn engine computes Linear with oneDNN's matmul",
    "qnnpack": "the qnnpack engine computes Linear with QNNPACK, the same on every CPU",
}


def operands(call: Call) -> dict[str, Array]:
    """x_q [n, K], w_q [C, K], b [C] and their parameters. Raises NotSimulated."""
    x = quantized_operand(call)
    weight, bias = layer_weight(call), layer_bias(call)
    found = {
        "x_q": x.q.reshape(-1, x.q.shape[-1]),
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "w_q": weight.q,
        "w_scale": weight.qparams.scale,
        "w_zp": weight.qparams.zero_point,
        **output_operands(call),
    }
    return found if bias is None else found | {"b": bias}


def kernel(arithmetic: Arithmetic, values: Values) -> Kernel:
    """Which library computes the layer, and how. Raises NotSimulated."""
    return choose(arithmetic, values)


def choose(arithmetic: Arithmetic, values: Values) -> Kernel:
    """The same kernel for every layer of an engine; oneDNN's blocks depend on K. Raises
    NotSimulated for scales and zero points with which PyTorch refuses to run."""
    if arithmetic.engine == "qnnpack":
        check_multipliers(values)
    if arithmetic.engine == "onednn":
        check_weight_zero_points(values)
    blocked = arithmetic.accumulator == "pairs-blocked"
    return Kernel(
        library=arithmetic.library,
        accumulator="exact" if arithmetic.accumulator == "exact" else "pairs",
        block=onednn_block(values["w_q"].shape[-1]) if blocked else 0,
        way_back=arithmetic.way_back,
        why=WHY.get(arithmetic.engine, ""),
    )


def stages(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """The stages of a plain Linear."""
    return weighted_stages(own, values, relu=False)


def stages_relu(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """The stages of a Linear with a fused ReLU."""
    return weighted_stages(own, values, relu=True)


def _example(arithmetic: str, expected: int) -> Example:
    """One channel, two inputs: the pair of forum fame, 255·113 + 255·113 = 57630."""
    return Example(
        arithmetic,
        {
            "x_q": np.array([[255, 255]], np.uint8),
            "x_scale": 1.0,
            "x_zp": 0,
            "w_q": np.array([[113, 113]], np.int8),
            "w_scale": 1.0,
            "w_zp": 0,
            "y_scale": 256.0,
            "y_zp": 0,
            "qmin": 0,
            "qmax": 255,
        },
        (expected,),
    )


TEXTBOOK_EXAMPLE = _example("textbook", 225)  # 57630 / 256 = 225.1
_EXAMPLES = (
    TEXTBOOK_EXAMPLE,
    _example("fbgemm-vnni", 225),
    _example("fbgemm-avx2", 128),  # sat16(57630) / 256 = 32767 / 256 = 127.996
    _example("onednn-avx2", 128),
    _example("qnnpack-avx2", 225),
)

OPS = (
    Op(
        "linear", "Linear", operands, stages, _EXAMPLES, ("quantized::linear",), kernel, image=False
    ),
    Op(
        "linear_relu",
        "Linear + ReLU",
        operands,
        stages_relu,
        _EXAMPLES,
        ("quantized::linear_relu",),
        kernel,
        image=False,
    ),
)
