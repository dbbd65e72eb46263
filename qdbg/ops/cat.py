"""Put tensors together: each is dequantized and quantized to the result's parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.core.arithmetic import at_least, f32, f64, fma32
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops import _elementwise, quantize
from qdbg.ops._clamp import clamp_each, relu_clamp_each
from qdbg.ops._lanes import strides_of

CHANNELS = 8
"""How many channels the channels-last kernel takes at once."""
IMAGE = (1, 3, 2, 0)
"""The axes of a channels-last image, from the fastest one."""
WHOLE = "block"
"""The bool operand that tells the channels-last kernel's vectors from the channels left over."""
FAST = "channels_last"
ZERO = np.zeros((), np.float32)


@stage(
    "dequantize",
    output="x float32 [I]",
    formula="x[i] = f32(f32(x_scale[i])·(x_q[i] − x_zp[i]))",
)
def dequantize(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """The real value of the integer, with the scale and the zero point of the operand that it
    comes from."""
    return f32(f64(f32(x_scale)) * (f64(x_q) - f64(x_zp)))


@stage(
    "dequantize",
    output="d float32 [I]",
    formula="d[i] = fma32(f32(x_scale[i]), x_q[i], f32(f32(x_scale[i])·(-x_zp[i])))",
)
def dequantize_vector(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """The real value of the integer, with the parameters of its operand. The channels lie side by
    side in memory and 8 are taken at once: the zero point comes off in one operation with the
    product."""
    scale = f32(x_scale)
    return fma32(scale, f64(x_q), f32(f64(scale) * -f64(x_zp)))


@stage(
    "dequantize",
    output="d float32 [I]",
    formula="d[i] = f32(f32(x_scale[i])·(x_q[i] − x_zp[i]))",
)
def dequantize_rest(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """The real value of the integer, with the parameters of its operand. This channel is one of
    those left over after the last 8."""
    return f32(f64(f32(x_scale)) * (f64(x_q) - f64(x_zp)))


@stage("join", output="u float32 [I]", formula="u[i] = d[i]")
def join(d: Array) -> Array:
    """The operands lie one after the other along the axis."""
    return d


@stage("relu", output="u float32 [I]", formula="u[i] = max(d[i], 0)")
def relu(d: Array) -> Array:
    """The fused ReLU keeps nothing below 0."""
    return at_least(d, ZERO)


dequantize_lanes = split(WHOLE, dequantize_vector, dequantize_rest)


def operands(call: Call) -> dict[str, Array]:
    """x_q and for each of its elements the operand's x_scale and x_zp, all in the result's shape.
    Raises NotSimulated."""
    if call.named("out") is not None:
        raise NotSimulated("it writes into a tensor that it was given")
    tensors = [quantized_operand(call, i, BYTES) for i in range(len(call.inputs))]
    axes = {t.q.ndim for t in tensors}
    if len(axes) != 1 or any(t.q.size == 0 for t in tensors):
        raise NotSimulated("it joins empty tensors, or tensors of different numbers of axes")
    axis = int(call.setting("dim", 0)) % (axes.pop() + (call.node.op == "stack"))
    parts = [_with_axis(t, axis) for t in tensors]
    columns = {
        "x_q": [t.q for t in parts],
        "x_scale": [np.full(t.q.shape, t.qparams.scale) for t in parts],
        "x_zp": [np.full(t.q.shape, t.qparams.zero_point) for t in parts],
        WHOLE: [_vectors(t.q.shape, axis) for t in parts],
    }
    joined = {k: np.concatenate(each, axis).reshape(call.node.shape) for k, each in columns.items()}
    fast = axis == 1 and all(_channels_last(t) for t in parts)
    return {**joined, **output_operands(call, BYTES), FAST: np.array(fast)}


def _with_axis(tensor: QTensor, axis: int) -> QTensor:
    """With the axis along which tensors are joined. Only stacking after the last axis makes a new
    one: elsewhere PyTorch joins along the axis that is there and cuts it in the end."""
    if axis < tensor.q.ndim:
        return tensor
    return QTensor(tensor.q[..., None], tensor.qparams, (*strides_of(tensor), 1))


def _channels_last(tensor: QTensor) -> bool:
    """As PyTorch tells it: axes of length 1 may have any stride."""
    if tensor.q.ndim != len(IMAGE):
        return False
    strides, expected = strides_of(tensor), 1
    for axis in IMAGE:
        if tensor.q.shape[axis] != 1:
            if strides[axis] != expected:
                return False
            expected *= tensor.q.shape[axis]
    return True


def _vectors(shape: tuple[int, ...], axis: int) -> Array:
    whole = np.arange(shape[axis]) < shape[axis] // CHANNELS * CHANNELS
    own = whole.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return np.broadcast_to(own, shape)


def stages_of(*, with_relu: bool) -> Callable[[Arithmetic, Values], tuple[Stage, ...]]:
    """The kernel for channels-last images where all operands are such, else the general one."""

    def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
        if bool(values[FAST]) and arithmetic.engine != "textbook":
            return (
                dequantize_lanes,
                relu if with_relu else join,
                _elementwise.reciprocal_double,
                _elementwise.quantize_of(arithmetic),
                clamp_each,
            )
        last = relu_clamp_each if with_relu else clamp_each
        return (dequantize, *quantize.stages(arithmetic, values)[:-1], last)

    return stages


EXAMPLE = Example(
    "fbgemm-avx2",
    {
        "x_q": np.array([3, 4], np.uint8),
        "x_scale": np.array([0.5, 1.0]),
        "x_zp": np.array([1, 6]),
        "y_scale": 0.5,
        "y_zp": 1,
        "qmin": 0,
        "qmax": 255,
        "channels_last": np.array(False),
    },
    (3, 0),  # 1 and −2 are 2 and −4 steps away from 1
)
RELU = Example("fbgemm-avx2", EXAMPLE.operands, (3, 1))

OPS = (
    Op(
        "cat",
        "Concatenate",
        operands,
        stages_of(with_relu=False),
        (EXAMPLE,),
        ("quantized::cat", "aten::cat", "aten::concat", "aten::concatenate"),
    ),
    Op(
        "cat_relu",
        "Concatenate + ReLU",
        operands,
        stages_of(with_relu=True),
        (RELU,),
        ("quantized::cat_relu",),
    ),
    Op("stack", "Stack", operands, stages_of(with_relu=False), (EXAMPLE,), ("aten::stack",)),
)
