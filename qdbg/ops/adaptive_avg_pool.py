"""Adaptive average pooling: windows that divide the image into a given number of parts."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, fma32, i64, rne, sat32
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.roundings import downward, upward
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops._clamp import clamp_each
from qdbg.ops._pool import dense_channels_last
from qdbg.ops._refused import check_float32, check_scales
from qdbg.ops.avg_pool import average_qnnpack, average_textbook, centred_sum, raw_sum, vectors

VECTOR = 8
"""How many channels the vector part of the kernel for channels-last images takes at once."""
WHOLE = 2**31 - 1
"""PyTorch multiplies places by sizes in 32 bits."""


@stage(
    "average",
    output="z int32 [I]",
    formula="z[i] = rne(f32(f32(acc[i])·f32(f32(f32(1 / k_d) / k_h) / k_w)))",
)
def average_raw(acc: Array, k_d: Array, k_h: Array, k_w: Array) -> Array:
    """Multiply by the reciprocal of the window's size and round half to even; the zero point never
    left the sum."""
    r = f32(f64(f32(f64(f32(1 / f64(k_d))) / f64(k_h))) / f64(k_w))
    return sat32(rne(f32(f64(f32(acc)) * r)))


@stage(
    "average",
    output="z int32 [I]",
    formula="z[i] = rne(fma32(acc[i], f32(1 / f32(1 / f32(1 / n[i]))), y_zp))",
)
def average_block(acc: Array, n: Array, y_zp: Array) -> Array:
    """Multiply by the reciprocal of the window's size and add the zero point in one operation. This
    channel lies in a whole vector."""
    return sat32(rne(fma32(f32(acc), _reciprocal(n), f64(y_zp))))


@stage(
    "average",
    output="z int32 [I]",
    formula="z[i] = rne(f32(y_zp + f32(f32(acc[i])·f32(1 / f32(1 / f32(1 / n[i]))))))",
)
def average_tail(acc: Array, n: Array, y_zp: Array) -> Array:
    """Multiply by the reciprocal of the window's size, then add the zero point. This channel is
    left over behind the whole vectors."""
    scaled = f32(f64(f32(acc)) * _reciprocal(n))
    return sat32(rne(f32(f64(y_zp) + f64(scaled))))


@stage(
    "average",
    output="z int32 [I]",
    formula="z[i] = rne(f32(f32(acc[i])·f32(1 / f32(1 / f32(1 / n[i]))))) + y_zp",
)
def average_first(acc: Array, n: Array, y_zp: Array) -> Array:
    """Multiply by the reciprocal of the window's size and round half to even, then add the zero
    point: this release does so in whole vectors and behind them."""
    return sat32(f64(rne(f32(f64(f32(acc)) * _reciprocal(n)))) + f64(y_zp))


def _reciprocal(n: Array) -> Array:
    share = f32(1 / f64(f32(n)))
    return f32(1 / f64(f32(1 / f64(share))))


average_lanes = split("block", average_block, average_tail)


def _bounds(size: int, out: int) -> list[tuple[int, int]]:
    """Where each window starts and ends along an axis. PyTorch divides in float32: beyond 2²⁴ a
    window may begin or end one place early or late. Raises NotSimulated where that is outside."""
    places = np.arange(out + 1, dtype=np.int64) * size
    share = f64(f32(f64(f32(places)) / max(1, out)))
    starts, ends = i64(downward(share[:-1])), i64(upward(share[1:]))
    if places[-1] > WHOLE or ends.max(initial=0) > size:
        raise NotSimulated("PyTorch's result is not reliable: it reads beyond so long an image")
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _even(bounds: list[tuple[int, int]], size: int) -> bool:
    """Whether these are the windows of an axis that its parts divide without a rest."""
    each, rest = divmod(size, max(1, len(bounds)))
    return not rest and bounds == [(i * each, (i + 1) * each) for i in range(len(bounds))]


def operands(call: Call, axes: int) -> dict[str, Array]:
    """window [N, C, out …, taps], shorter ones filled with zeros, and their sizes. Raises
    NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    image = x.q if x.q.ndim == axes + 2 else x.q[None]
    out = call.node.shape[-axes:]
    bounds = [_bounds(size, n) for size, n in zip(image.shape[2:], out, strict=True)]
    sizes = [np.array([b - a for a, b in each]) for each in bounds]
    most = int(np.prod([each.max(initial=0) for each in sizes]))
    window = np.zeros((*image.shape[:2], *out, most), image.dtype)
    for place in np.ndindex(*out):
        part = tuple(slice(*bounds[axis][i]) for axis, i in enumerate(place))
        taps = image[(slice(None), slice(None), *part)].reshape(*image.shape[:2], -1)
        window[(slice(None), slice(None), *place, slice(0, taps.shape[-1]))] = taps
    grid = np.meshgrid(*sizes, indexing="ij")
    spread = [np.broadcast_to(each, window.shape[:-1]).reshape(call.node.shape) for each in grid]
    extents = [np.ones_like(spread[0])] * (3 - axes) + spread
    n = np.prod(extents, axis=0)
    last = dense_channels_last(x.q.shape, x.strides)
    if last and not dense_channels_last(call.node.shape, call.node.strides):
        raise NotSimulated(
            "PyTorch's result is wrong: it is written with the channels last and read otherwise"
        )
    return {
        "window": window.reshape(*call.node.shape, most),
        "n": n, "div": n, "size": n,
        **dict(zip(("k_d", "k_h", "k_w"), extents, strict=True)),
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "last": np.array(last),
        "divides": np.array(all(s % o == 0 for s, o in zip(image.shape[2:], out, strict=True))),
        "even": np.array(all(map(_even, bounds, image.shape[2:]))),
        "channels": np.array(image.shape[1]),
        **output_operands(call, BYTES),
    }  # fmt: skip


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """By the engine, and by the order of the image in memory."""
    plane = values["window"].ndim == PLANES
    if arithmetic.engine == "textbook":
        return (centred_sum, average_textbook, clamp_each)
    if arithmetic.engine == "qnnpack" and int(values["qmin"]) == 0 and plane and values["divides"]:
        check_scales(values, "x_scale")
        if not values["even"]:
            raise NotSimulated("the axis is so long that float32 and QNNPACK divide it otherwise")
        return (centred_sum, average_qnnpack, clamp_each)
    check_float32(values)
    if bool(values["last"]):
        if arithmetic.quantize == ROUNDED:
            return (centred_sum, average_first, clamp_each)
        lanes = vectors(VECTOR, values["window"].shape[:-1])
        return (centred_sum, lanes, average_lanes, clamp_each)
    return (raw_sum, average_raw, clamp_each)


PLANES = 5
"""The axes of windows of an image with two: sample, channel, height, width, taps."""


def _op(axes: int) -> Op:
    return Op(
        f"adaptive_avg_pool{axes}d",
        f"AdaptiveAvgPool{axes}d",
        lambda call: operands(call, axes),
        stages,
        (EXAMPLE,),
        (f"aten::_adaptive_avg_pool{axes}d", f"aten::adaptive_avg_pool{axes}d"),
    )


EXAMPLE = Example(
    "textbook",
    {
        "window": np.array([[[[[3, 9, 5, 9]]]]], np.uint8),
        "n": np.array([[[[4]]]]),
        "div": np.array([[[[4]]]]),
        "k_d": np.array([[[[1]]]]),
        "k_h": np.array([[[[2]]]]),
        "k_w": np.array([[[[2]]]]),
        "size": np.array(4),
        "last": False,
        "even": True,
        "divides": True,
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
