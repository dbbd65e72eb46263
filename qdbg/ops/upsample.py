"""Resizing of images: the nearest pixel, or a weighted mean of four."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, fma32, rne, rne32, sat32
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops._clamp import clamp_each
from qdbg.ops._moves import Mover, places
from qdbg.ops._pool import dense_channels_last
from qdbg.ops._resize import between, factors, nearest
from qdbg.ops.avg_pool import vectors
from qdbg.ops.moves import mover_stage

VECTOR = 8
"""How many channels the vector part of the kernel for channels-last images takes at once."""
PLANE = 2
copy = mover_stage("Each pixel takes the integer of one pixel of the image.")


@stage(
    "blend",
    output="m float32 [I]",
    formula="m[i] = f32(f32(h0[i]·f32(f32(w0[i]·a[i]) + f32(w1[i]·b[i])))"
    " + f32(h1[i]·f32(f32(w0[i]·c[i]) + f32(w1[i]·d[i]))))",
)
def blend(
    h0: Array, w0: Array, a: Array, w1: Array, b: Array, h1: Array, c: Array, d: Array
) -> Array:
    """The weighted mean of the four pixels around the place in the image: a and b in the upper
    row, c and d in the lower one. Every product and sum is rounded to float32."""
    upper = f32(f64(f32(f64(w0) * f64(a))) + f32(f64(w1) * f64(b)))
    lower = f32(f64(f32(f64(w0) * f64(c))) + f32(f64(w1) * f64(d)))
    return f32(f64(f32(f64(h0) * upper)) + f32(f64(h1) * lower))


@stage(
    "blend",
    output="m float32 [I]",
    formula="m[i] = fma32(h1[i], fma32(w1[i], d[i], f32(w0[i]·c[i])),"
    " f32(h0[i]·fma32(w1[i], b[i], f32(w0[i]·a[i]))))",
)
def blend_block(
    h1: Array, w1: Array, d: Array, w0: Array, c: Array, h0: Array, b: Array, a: Array
) -> Array:
    """The weighted mean of the four pixels around the place in the image: a and b in the upper
    row, c and d in the lower one. This channel lies in a whole vector: the second product of each
    pair is added without being rounded."""
    upper = fma32(w1, f64(b), f32(f64(w0) * f64(a)))
    lower = fma32(w1, f64(d), f32(f64(w0) * f64(c)))
    return fma32(h1, lower, f32(f64(h0) * upper))


@stage(
    "blend",
    output="m float32 [I]",
    formula="m[i] = fma32(h0[i], fma32(w0[i], a[i], f32(w1[i]·b[i])),"
    " f32(h1[i]·fma32(w0[i], c[i], f32(w1[i]·d[i]))))",
)
def blend_tail(
    h0: Array, w0: Array, a: Array, w1: Array, b: Array, h1: Array, c: Array, d: Array
) -> Array:
    """The weighted mean of the four pixels around the place in the image: a and b in the upper
    row, c and d in the lower one. This channel is left over behind the whole vectors: the first
    product of each pair is added without being rounded."""
    upper = fma32(w0, f64(a), f32(f64(w1) * f64(b)))
    lower = fma32(w0, f64(c), f32(f64(w1) * f64(d)))
    return fma32(h0, upper, f32(f64(h1) * lower))


@stage("centre", output="t float32 [I]", formula="t[i] = f32(m[i] − x_zp)")
def centre(m: Array, x_zp: Array) -> Array:
    """Take off the zero point."""
    return f32(f64(m) - f64(x_zp))


@stage("round", output="z int32 [I]", formula="z[i] = rne(f32(t[i] + y_zp))")
def back(t: Array, y_zp: Array) -> Array:
    """Add the zero point in float32, which can round, and round to the nearest integer; a tie (.5)
    goes to the even neighbour. The scale stays the same."""
    return sat32(rne(f32(f64(t) + f64(y_zp))))


@stage("round", output="r float32 [I]", formula="r[i] = rne(t[i])")
def round_first(t: Array) -> Array:
    """Round to the nearest integer; a tie (.5) goes to the even neighbour. The scale stays the
    same."""
    return rne(t)


@stage("zero point", output="z int32 [I]", formula="z[i] = r[i] + y_zp")
def add_zero_point(r: Array, y_zp: Array) -> Array:
    """Add the zero point: in this release behind rounding."""
    return sat32(f64(r) + f64(y_zp))


@stage("blend", output="m float64 [I]", formula="m[i] = h0·(w0·a + w1·b) + h1·(w0·c + w1·d) at i")
def blend_textbook(
    h0: Array, w0: Array, a: Array, w1: Array, b: Array, h1: Array, c: Array, d: Array
) -> Array:
    """The weighted mean of the four pixels around the place in the image."""
    upper, lower = f64(w0) * a + f64(w1) * b, f64(w0) * c + f64(w1) * d
    return np.asarray(f64(h0) * upper + f64(h1) * lower)


@stage("round", output="z int32 [I]", formula="z[i] = rne(m[i])")
def round_textbook(m: Array) -> Array:
    """Round to the nearest integer; a tie (.5) goes to the even neighbour."""
    return rne32(m)


blend_lanes = split("block", blend_block, blend_tail)


def reads_channels_last(call: Call, x: QTensor) -> bool:
    """Whether the kernel for channels-last images runs. Raises NotSimulated where the result that
    it writes is then read in another order."""
    if not dense_channels_last(x.q.shape, x.strides):
        return False
    if not dense_channels_last(call.node.shape, call.node.strides):
        raise NotSimulated(
            "PyTorch's result is wrong: it is written with the channels last and read otherwise"
        )
    return True


def nearest_pixels(axes: int, exact: bool) -> Mover:
    """The move that takes the nearest pixel along the last axes."""

    def move(x: Array, call: Call) -> Array:
        sizes, out = x.shape[-axes:], call.node.shape[-axes:]
        if sizes == tuple(out):
            return x  # the kernel copies the image, whatever the factors are
        for axis, (size, n, factor) in enumerate(zip(sizes, out, factors(call, axes), strict=True)):
            x = np.take(x, nearest(size, n, factor, exact=exact), axis - axes)
        return x

    return move


def nearest_op(axes: int, exact: bool) -> Op:
    """The op for images of so many axes."""

    def operands(call: Call) -> dict[str, Array]:
        x = quantized_operand(call, dtypes=BYTES)
        last = reads_channels_last(call, x)
        move = nearest_pixels(axes, exact)
        unchanged = x.q.shape[-axes:] == call.node.shape[-axes:]
        if last and unchanged and axes != PLANE and x.q.shape[0] > 1:
            raise NotSimulated("PyTorch's result is wrong: it copies only the first image")
        return {"x_q": x.q, "source": places(call, move, x.q)}

    name = f"nearest{'_exact' if exact else ''}{axes}d"
    prefix = "_" if exact else ""
    return Op(
        f"upsample_{name}",
        f"Resize {axes}d, nearest{' exact' if exact else ''}",
        operands,
        lambda arithmetic, values: (copy,),
        (COPY_EXAMPLE,),
        (f"aten::{prefix}upsample_{name}",),
    )


def operands(call: Call) -> dict[str, Array]:
    """The four pixels around each place, a b above c d, and their weights. Raises NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    last = reads_channels_last(call, x)
    (height, width), (rows, columns) = x.q.shape[-PLANE:], call.node.shape[-PLANE:]
    f_h, f_w = factors(call, PLANE)
    corners = bool(call.setting("align_corners"))
    if (height, width) == (rows, columns) and not last:
        f_h = f_w = None  # the kernel copies the image, whatever the factors are
    top, bottom, h0, h1 = between(height, rows, f_h, corners=corners, fused=last)
    left, right, w0, w1 = between(width, columns, f_w, corners=corners, fused=last)
    upper, lower = np.take(x.q, top, -2), np.take(x.q, bottom, -2)
    return {
        "a": np.take(upper, left, -1), "b": np.take(upper, right, -1),
        "c": np.take(lower, left, -1), "d": np.take(lower, right, -1),
        "h0": h0.reshape(1, 1, -1, 1), "h1": h1.reshape(1, 1, -1, 1),
        "w0": w0.reshape(1, 1, 1, -1), "w1": w1.reshape(1, 1, 1, -1),
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "last": np.array(last),
        "channels": np.array(x.q.shape[1]),
        **output_operands(call, BYTES),
    }  # fmt: skip


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """By the order of the image in memory."""
    if arithmetic.engine == "textbook":
        return (blend_textbook, round_textbook, clamp_each)
    first = arithmetic.quantize == ROUNDED
    last = (centre, *((round_first, add_zero_point) if first else (back,)), clamp_each)
    if not bool(values["last"]):
        return (blend, *last)
    lanes = vectors(VECTOR, values["a"].shape)
    return (lanes, blend_lanes, *last)


COPY_EXAMPLE = Example(
    "textbook", {"x_q": np.array([7, 255], np.uint8), "source": np.array([0, 0, 1])}, (7, 7, 255)
)


def _pixel(value: float, kind: type[np.generic] = np.uint8) -> Array:
    return np.full((1, 1, 1, 1), value, kind)


EXAMPLE = Example(
    "fbgemm-avx2",
    {
        "a": _pixel(10), "b": _pixel(20), "c": _pixel(30), "d": _pixel(50),
        "h0": _pixel(0.5, np.float32), "h1": _pixel(0.5, np.float32),
        "w0": _pixel(0.75, np.float32), "w1": _pixel(0.25, np.float32),
        "x_scale": 1.0, "x_zp": 3, "y_zp": 3, "qmin": 0, "qmax": 255,
        "last": False, "channels": 1,
    },
    (24,),  # (12.5 + 35) / 2 = 23.75
)  # fmt: skip

OPS = (
    *(nearest_op(axes, exact) for axes in (2, 3) for exact in (False, True)),
    Op(
        "upsample_bilinear2d",
        "Resize 2d, bilinear",
        operands,
        stages,
        (EXAMPLE,),
        ("aten::upsample_bilinear2d",),
    ),
)
