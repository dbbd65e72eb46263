"""Layer normalization: the last axes of each sample together."""

from __future__ import annotations

import numpy as np

from qdbg.core.op import BYTES, Call, Example, Op, quantized_operand
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values
from qdbg.ops import _norm
from qdbg.ops._clamp import clamp_each
from qdbg.ops._elementwise import BLOCK, quantize_of, quantize_textbook, reciprocal
from qdbg.ops._norm import STATISTICS, normalize_layer, normalize_textbook

VECTOR = 32
"""How many elements of a row the kernel takes at once."""


def operands(call: Call) -> dict[str, Array]:
    """x_q [rows, N], weight and bias for each of N. Raises NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    size = int(np.prod(call.setting("normalized_shape")))
    found = _norm.operands(call, x, x.q.size // max(1, size))
    block = np.arange(size) < size // VECTOR * VECTOR
    return found | {
        "gamma": _norm.numbers(call, "weight", size, 1.0),
        "beta": _norm.numbers(call, "bias", size, 0.0),
        BLOCK: np.broadcast_to(block, found["x_q"].shape),
    }


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same kernel under every engine."""
    del values
    if arithmetic.engine == "textbook":
        return (*STATISTICS[:2], normalize_textbook, quantize_textbook, clamp_each)
    return (*STATISTICS, normalize_layer, reciprocal, quantize_of(arithmetic), clamp_each)


EXAMPLE = Example(
    "fbgemm-avx2",
    {
        "x_q": np.array([[12, 8]], np.uint8),
        "x_scale": 0.5,
        "x_zp": 3,
        "n": 2,
        "eps": 0.0,
        "gamma": np.array([2.0, 2.0], np.float32),
        "beta": np.array([0.5, 0.5], np.float32),
        "y_scale": 0.5,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
        "block": np.array([[False, False]]),
    },
    (15, 7),  # mean 10, deviation 2: ±1·2 + 0.5 = 2.5 and −1.5
)

OPS = (Op("layer_norm", "LayerNorm", operands, stages, (EXAMPLE,), ("quantized::layer_norm",)),)
