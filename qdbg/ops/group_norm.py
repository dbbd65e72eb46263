"""Group and instance normalization: some channels of each sample together, or one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.core.arithmetic import saturate
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, quantized_operand
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values
from qdbg.ops import _norm
from qdbg.ops._clamp import clamp_each
from qdbg.ops._elementwise import (
    BLOCK,
    quantize_block,
    quantize_textbook,
    reciprocal,
    tail_of,
)
from qdbg.ops._norm import STATISTICS, normalize_group, normalize_last, normalize_textbook
from qdbg.ops._pool import dense_channels_last

VECTOR = 32
"""How many channels the kernel for channels-last images takes at once."""
IMAGE = 4
"""The axes of an image, the only tensors that have a kernel for channels-last ones."""
FLOATS = 512
"""From this many pixels on that kernel adds up in float32, by threads."""


def _operands(groups: Callable[[Call, int], int]) -> Callable[[Call], dict[str, Array]]:
    def operands(call: Call) -> dict[str, Array]:
        """x_q [sample and group, N], weight and bias of each element. Raises NotSimulated."""
        x = quantized_operand(call, dtypes=BYTES)
        batch, channels, *image = x.q.shape
        last = x.q.ndim == IMAGE and dense_channels_last(x.q.shape, x.strides)
        pixels = int(np.prod(image))
        if last and pixels >= FLOATS:
            raise NotSimulated(
                f"its image has its channels last and {pixels} pixels; from {FLOATS} on PyTorch"
                " adds up float32 numbers in an order that depends on the number of threads"
            )
        rows = batch * groups(call, channels)
        found = _norm.operands(call, x, rows)
        if last and batch > found["n"]:
            raise NotSimulated(
                "PyTorch's result is not the same twice: with the channels last and more samples"
                " than values in a group it leaves samples unwritten"
            )

        def spread(each: Array) -> Array:
            along = np.broadcast_to(each[None, :, None], (batch, channels, pixels))
            return along.reshape(rows, -1)

        whole = np.arange(channels) < channels // VECTOR * VECTOR
        return found | {
            "gamma": spread(_norm.numbers(call, "weight", channels, 1.0)),
            "beta": spread(_norm.numbers(call, "bias", channels, 0.0)),
            "last": np.array(last),
            BLOCK: spread(whole),
        }

    return operands


def _refuse_doubtful(tail: Stage, values: Values) -> None:
    """Raise NotSimulated where the two quantizers that a whole vector of channels may take give
    different integers."""
    found = dict(values)
    for each in (*STATISTICS, normalize_last, reciprocal):
        found[each.output] = each.run(found)
    low, high = int(values["qmin"]), int(values["qmax"])
    one, other = (saturate(s.run(found), low, high) for s in (quantize_block, tail))
    if np.any((one != other) & values[BLOCK]):
        raise NotSimulated(
            "its image has its channels last, and one of its results lies on a rounding tie that"
            " PyTorch's vectors of channels resolve in a way that is not known"
        )


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """By the order of the image in memory."""
    if arithmetic.engine == "textbook":
        return (*STATISTICS[:2], normalize_textbook, quantize_textbook, clamp_each)
    if bool(values["last"]):
        tail = tail_of(arithmetic)
        _refuse_doubtful(tail, values)
        return (*STATISTICS, normalize_last, tail, clamp_each)
    return (*STATISTICS, normalize_group, reciprocal, quantize_block, clamp_each)


EXAMPLE = Example(
    "fbgemm-avx2",
    {
        "x_q": np.array([[12, 8]], np.uint8),
        "x_scale": 0.5,
        "x_zp": 3,
        "n": 2,
        "eps": 0.0,
        "gamma": np.array([[2.0, 2.0]], np.float32),
        "beta": np.array([[0.5, 0.5]], np.float32),
        "y_scale": 0.5,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
        "last": False,
        "block": np.array([[False, False]]),
    },
    (15, 7),  # mean 10, deviation 2: ±1·2 + 0.5 = 2.5 and −1.5
)

OPS = (
    Op(
        "group_norm",
        "GroupNorm",
        _operands(lambda call, channels: int(call.setting("num_groups"))),
        stages,
        (EXAMPLE,),
        ("quantized::group_norm",),
    ),
    Op(
        "instance_norm",
        "InstanceNorm",
        _operands(lambda call, channels: channels),
        stages,
        (EXAMPLE,),
        ("quantized::instance_norm",),
    ),
)
