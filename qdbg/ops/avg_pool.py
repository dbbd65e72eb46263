"""Average pooling, by window or to a given size: a sum, a division, a rounding."""

from __future__ import annotations

from functools import cache

import numpy as np

from qdbg.core.arithmetic import f32, f64, i32, i64, rne, sat32
from qdbg.core.op import BYTES, Call, Example, Op, output_operands, quantized_operand
from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops._clamp import clamp_each
from qdbg.ops._pool import dense_channels_last, pool_windows, pooled
from qdbg.ops._refused import check_float32, check_scales
from qdbg.ops._windows import Geometry

VECTOR = {"avx2": 8, "avx512": 16, "vnni": 16}
"""How many channels the vector part of the kernel for channels-last images takes at once."""


@stage("sum", output="acc int32 [I]", formula="acc[i] = sum of window[i] − x_zp·n[i]")
def centred_sum(window: Array, x_zp: Array, n: Array) -> Array:
    """Add up the integers of the window and take the zero point off, once for each that counts."""
    return i32(i64(window).sum(axis=-1) - i64(x_zp) * i64(n))


@stage("sum", output="acc int32 [I]", formula="acc[i] = sum of window[i]")
def raw_sum(window: Array) -> Array:
    """Add up the integers of the window; the zero point stays in."""
    return i32(i64(window).sum(axis=-1))


@stage(
    "average",
    output="z int32 [I]",
    formula="z[i] = rne(f32(f32(f32(acc[i])·f32(1 / div[i])) + y_zp))",
)
def average(acc: Array, div: Array, y_zp: Array) -> Array:
    """Multiply by the reciprocal of the window's size, add the zero point, then round half to
    even."""
    scaled = f32(f64(f32(acc)) * f32(1 / f64(div)))
    return sat32(rne(f32(f64(scaled) + f64(y_zp))))


@stage(
    "average",
    output="z int32 [I]",
    formula="z[i] = rne(f32(f32(acc[i])·f32(1 / f32(div[i])))) + y_zp",
)
def average_block(acc: Array, div: Array, y_zp: Array) -> Array:
    """Multiply by the reciprocal of the window's size and round half to even. This channel lies in
    a whole vector: the zero point is added as an integer."""
    return sat32(f64(rne(f32(f64(f32(acc)) * f32(1 / f64(f32(div)))))) + f64(y_zp))


@stage(
    "average",
    output="z int32 [I]",
    formula="z[i] = rne(f32(y_zp + f32(f32(acc[i])·f32(1 / f32(1 / f32(1 / f32(div[i])))))))",
)
def average_tail(acc: Array, div: Array, y_zp: Array) -> Array:
    """Multiply by the reciprocal of the window's size. This channel is left over behind the whole
    vectors: the zero point is added before rounding."""
    m = f32(1 / f64(f32(div)))
    back = f32(1 / f64(f32(1 / f64(m))))
    return sat32(rne(f32(f64(y_zp) + f64(f32(f64(f32(acc)) * back)))))


@stage(
    "average",
    output="z int32 [I]",
    formula="z[i] = rne(f32(f32(acc[i])·f32(1 / f32(1 / f32(1 / f32(div[i])))))) + y_zp",
)
def average_tail_first(acc: Array, div: Array, y_zp: Array) -> Array:
    """Multiply by the reciprocal of the window's size. This channel is left over behind the whole
    vectors; in this release it is rounded before the zero point is added, too."""
    m = f32(1 / f64(f32(div)))
    back = f32(1 / f64(f32(1 / f64(m))))
    return sat32(f64(rne(f32(f64(f32(acc)) * back))) + f64(y_zp))


average_lanes = split("block", average_block, average_tail)
average_lanes_first = split("block", average_block, average_tail_first)


@stage(
    "average",
    output="z int32 [I]",
    formula="z[i] = rne(f32(f32(acc[i])·f32(x_scale / f32(x_scale·size)))) + y_zp",
)
def average_qnnpack(acc: Array, x_scale: Array, size: Array, y_zp: Array) -> Array:
    """QNNPACK divides by the whole window, padding included, rounds half to even, and adds the
    zero point."""
    scale = f32(x_scale)
    m = f32(f64(scale) / f32(f64(scale) * f64(size)))
    return sat32(f64(rne(f32(f64(f32(acc)) * m))) + f64(y_zp))


@stage("average", output="z int32 [I]", formula="z[i] = rne(acc[i] / div[i]) + y_zp")
def average_textbook(acc: Array, div: Array, y_zp: Array) -> Array:
    """Divide by the number of values, round half to even, add the zero point."""
    return sat32(rne(f64(acc) / f64(div)) + f64(y_zp))


def operands(call: Call, axes: int) -> dict[str, Array]:
    """window [N, C, out …, taps], how many of its values lie in the image, and by what the sum is
    divided. Raises NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    image, geometry = pooled(call, x.q, axes)
    out = call.node.shape[-axes:]
    window = pool_windows(image, geometry, out, 0)
    inside = pool_windows(np.ones((1, 1, *image.shape[2:]), np.int8), geometry, out, 0).sum(axis=-1)
    div: Array = _pool_sizes(geometry, image.shape[2:], out)
    if call.setting("divisor_override"):
        div = np.full_like(div, int(call.setting("divisor_override")))
    elif not call.setting("count_include_pad", True):
        div = inside[0, 0]
    shape = call.node.shape
    found = {
        "window": window.reshape(*shape, -1),
        "n": np.broadcast_to(inside, (*image.shape[:2], *out)).reshape(shape),
        "div": np.broadcast_to(div, (*image.shape[:2], *out)).reshape(shape),
        "size": np.array(int(np.prod(geometry.kernel))),
        "odd": np.array(bool(call.setting("ceil_mode"))),
    }
    return found | _common(call, x)


def _common(call: Call, x: QTensor) -> dict[str, Array]:
    last = dense_channels_last(x.q.shape, x.strides)
    return {
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "last": np.array(last),
        "channels": np.array(x.q.shape[1]),
        **output_operands(call, BYTES),
    }


def _pool_sizes(geometry: Geometry, size: tuple[int, ...], out: tuple[int, ...]) -> Array:
    """How many positions of each window lie in the padded image: int64 [out …]."""
    counts: Array = np.ones((1,) * len(out), np.int64)
    numbers = zip(size, out, geometry.stride, geometry.kernel, geometry.padding, strict=True)
    for axis, (n, m, stride, kernel, padding) in enumerate(numbers):
        starts = np.arange(m) * stride - padding
        ends = np.where(starts + kernel < n + padding, starts + kernel, n + padding)
        shape = [-1 if i == axis else 1 for i in range(len(out))]
        counts = counts * (ends - starts).reshape(shape)
    return counts


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """By the engine, and by the order of the image in memory."""
    plane = values["window"].ndim == PLANES
    if arithmetic.engine == "textbook":
        return (centred_sum, average_textbook, clamp_each)
    if arithmetic.engine == "qnnpack" and int(values["qmin"]) == 0 and plane and not values["odd"]:
        check_scales(values, "x_scale")
        return (centred_sum, average_qnnpack, clamp_each)
    check_float32(values)
    if bool(values["last"]) or not plane:
        lanes = vectors(VECTOR[arithmetic.level], values["window"].shape[:-1])
        last = average_lanes_first if arithmetic.quantize == ROUNDED else average_lanes
        return (centred_sum, lanes, last, clamp_each)
    return (centred_sum, average, clamp_each)


PLANES = 5
"""The axes of windows of an image with two: sample, channel, height, width, taps."""


@cache
def vectors(vector: int, shape: tuple[int, ...]) -> Stage:
    """Which channels lie in whole vectors, as an operand of the next stage."""

    @stage(
        "vectors",
        output="block bool [I]",
        formula=f"block = channel < channels rounded down to {vector}",
        constant=True,
    )
    def block(channels: Array) -> Array:
        """Whether the channel lies in a whole vector of the kernel."""
        whole = int(channels) // vector * vector
        along = [-1 if i == 1 else 1 for i in range(len(shape))]
        return np.broadcast_to((np.arange(shape[1]) < whole).reshape(along), shape)

    return block


def _op(axes: int) -> Op:
    return Op(
        f"avg_pool{axes}d",
        f"AvgPool{axes}d",
        lambda call: operands(call, axes),
        stages,
        (EXAMPLE,),
        (f"aten::avg_pool{axes}d",),
    )


EXAMPLE = Example(
    "textbook",
    {
        "window": np.array([[[[[3, 9, 5, 9]]]]], np.uint8),
        "n": np.array([[[[4]]]]),
        "div": np.array([[[[4]]]]),
        "size": np.array(4),
        "last": False,
        "odd": False,
        "channels": 1,
        "x_scale": 1.0,
        "x_zp": 1,
        "y_zp": 1,
        "qmin": 0,
        "qmax": 255,
    },
    (7,),  # 26 / 4 = 6.5, less the zero point 5.5, to even 6, and back
)

OPS = tuple(_op(axes) for axes in (2, 3))
