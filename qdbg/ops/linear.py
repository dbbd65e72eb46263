"""Linear, alone or with a fused ReLU: y = clamp(zero point + round(M · (Σ x·w + bias)))."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import Arithmetic
from qdbg.core.op import (
    Example,
    Op,
    Operand,
    layer_weight,
    output_operands,
    quantized_operand,
)
from qdbg.core.program import Layer, Node
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values
from qdbg.ops import _fbgemm, _onednn, _qnnpack, _textbook
from qdbg.ops._products import products


def operands(node: Node, layer: Layer | None, inputs: tuple[Operand, ...]) -> dict[str, Array]:
    """x_q [n, K], w_q [C, K], b [C] and their parameters. Raises NotSimulated."""
    x = quantized_operand(inputs)
    weight = layer_weight(layer)
    found = {
        "x_q": x.q.reshape(-1, x.q.shape[-1]),
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "w_q": weight.q,
        "w_scale": weight.qparams.scale,
        "w_zp": weight.qparams.zero_point,
        **output_operands(node),
    }
    if layer is not None and layer.bias is not None:
        found["b"] = layer.bias
    return found


def _stages(arithmetic: Arithmetic, values: Values, relu: bool) -> tuple[Stage, ...]:
    choice = {"bias": "b" in values, "relu": relu, "per_channel": np.ndim(values["w_scale"]) > 0}
    match arithmetic.way_back:
        case "fbgemm":
            back = _fbgemm.way_back(**choice)
        case "qnnpack":
            back = _qnnpack.way_back(**choice)
        case "onednn":
            back = _onednn.way_back(**choice)
        case "onednn-avx2":
            back = _onednn.way_back(**choice, avx2=True)
        case _:
            back = _textbook.way_back(**choice)
    zero_points = bool(np.any(values["w_zp"]))
    return (*products(arithmetic.accumulator, weight_zero_points=zero_points), *back)


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The stages of a plain Linear."""
    return _stages(arithmetic, values, relu=False)


def stages_relu(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The stages of a Linear with a fused ReLU."""
    return _stages(arithmetic, values, relu=True)


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


_EXAMPLES = (
    _example("textbook", 225),  # 57630 / 256 = 225.1
    _example("fbgemm-vnni", 225),
    _example("fbgemm-avx2", 128),  # sat16(57630) / 256 = 32767 / 256 = 127.996
    _example("onednn-avx2", 128),
    _example("qnnpack-avx2", 225),
)

OPS = (
    Op("linear", "Linear", operands, stages, _EXAMPLES, products=True),
    Op("linear_relu", "Linear + ReLU", operands, stages_relu, _EXAMPLES, products=True),
)
