"""Mean over some axes."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, odd_part, rne, sat32
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import quantize
from qdbg.ops._clamp import clamp_each
from qdbg.ops._float_sums import summing, total
from qdbg.ops._lanes import GRAIN, is_row_major, row_major
from qdbg.ops._orders import EXACT, HALF_ULP, refuse_unless_equal
from qdbg.ops._pool import channels_are_last
from qdbg.ops._refused import check_float32, check_scales
from qdbg.ops.avg_pool import average_qnnpack, average_textbook, centred_sum, raw_sum

PIXEL = ("n", "c", "h", "w")
"""The axes of an image."""
IMAGE = [2, 3]
"""The axes of an image's pixels as the call must name them for QNNPACK's kernel: [3, 2] and
[-2, -1] are the same axes, but go another way."""
MEASURED = "avx2"
"""The CPU level on which the order of float32 sums was compared with ATen's."""
REASON = (
    "its axes are not the last ones of a row-major tensor: it adds float32 numbers in PyTorch's own"
    " order, and a mean lies so near a rounding tie that the order decides about the integer"
)


@stage("mean", output="z int32 [I]", formula="z[i] = rne(f32(f32(acc[i]) / f32(n[i])))")
def mean_raw(acc: Array, n: Array) -> Array:
    """Divide by the number of values and round half to even; the zero point never left the sum."""
    return sat32(rne(f32(f64(f32(acc)) / f64(f32(n)))))


@stage("dequantize", output="d float32 [I]", formula="d[i] = f32(f32(x_scale)·(window[i] − x_zp))")
def dequantize(x_scale: Array, window: Array, x_zp: Array) -> Array:
    """The real values of the integers."""
    return f32(f64(f32(x_scale)) * (f64(window) - f64(x_zp)))


@stage("sum", output="total float32 [I]", formula="total[i] = sum of d[i]")
def real_sum(d: Array) -> Array:
    """Add the real values up. PyTorch rounds each partial sum to float32, in an order of its own;
    here no order leads to another integer in the end, so this is the exact sum, rounded once."""
    return f32(f64(d).sum(axis=-1))


@stage(
    "sum",
    output="total float32 [I]",
    formula="total[i] = sum of d[i]; places: order[..], cascade: path[i]",
)
def ordered_sum(d: Array, order: Array, path: Array) -> Array:
    """Add the real values up as ATen's kernel does, each sum rounded to float32. order: places of
    the window as they lie in memory, in runs. path: how a run is added up: 0 in 8 lanes of a
    vector, then the lanes; 1 in groups of 16 or more, whose sums are added to each other; 2 the
    same with four sums side by side, each of every fourth value."""
    return total(d, order, path)


@stage("mean", output="x float32 [I]", formula="x[i] = f32(total[i] / n[i])")
def mean_real(total: Array, n: Array) -> Array:
    """Divide by the number of values."""
    return f32(f64(total) / f64(n))


def reduced(call: Call, x: QTensor) -> tuple[Array, tuple[int, ...]]:
    """What is reduced to one value, on a last axis behind the axes of the result, and the axes of
    the operand that it came from."""
    given = call.setting("dim")
    axes = range(x.q.ndim) if not given else [d % x.q.ndim for d in np.atleast_1d(given)]
    dims = tuple(sorted(axes))
    kept = [axis for axis in range(x.q.ndim) if axis not in dims]
    moved = x.q.transpose(*kept, *dims)
    size = int(np.prod([x.q.shape[d] for d in dims], dtype=np.int64))
    if not size:
        raise NotSimulated("there are no values to reduce")
    return moved.reshape(*call.node.shape, size), dims


def operands(call: Call) -> dict[str, Array]:
    """window: the values of each mean on the last axis. Raises NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    window, dims = reduced(call, x)
    last = dims == tuple(range(x.q.ndim - len(dims), x.q.ndim))
    integers = last and is_row_major(x)
    n = np.full(call.node.shape, window.shape[-1])
    return {
        "window": window,
        "n": n, "div": n, "size": n,
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "image": np.array(_is_image(call, x)),
        "integers": np.array(integers),
        **({} if integers else _order(call, x, dims)),
        **output_operands(call, BYTES),
    }  # fmt: skip


def _is_image(call: Call, x: QTensor) -> bool:
    given = [int(axis) for axis in np.atleast_1d(call.setting("dim") or ())]
    return given == IMAGE and x.q.ndim == len(PIXEL) and x.qparams.dtype == "quint8"


def _order(call: Call, x: QTensor, dims: tuple[int, ...]) -> dict[str, Array]:
    """How ATen adds up the dequantized tensor, which lies in memory row by row or with its
    channels last. alone: no two threads share the work."""
    shape = x.q.shape
    strides = row_major(shape)
    if channels_are_last(x):
        back = (0, *range(2, len(shape)), 1)
        steps = row_major([shape[axis] for axis in back])
        strides = tuple(steps[back.index(axis)] for axis in range(len(shape)))
    order, path = summing(shape, strides, dims)
    return {
        "order": order,
        "path": path.reshape(*call.node.shape, len(order)),
        "alone": np.array(call.threads == 1 or x.q.size < GRAIN),
    }


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """QNNPACK has a kernel of its own for images. Raises NotSimulated where an order of float32
    sums that was not compared decides about an integer."""
    if arithmetic.engine == "textbook":
        return (centred_sum, average_textbook, clamp_each)
    if arithmetic.engine == "qnnpack" and bool(values["image"]):
        check_scales(values, "x_scale")
        return (centred_sum, average_qnnpack, clamp_each)
    check_float32(values)
    if bool(values["integers"]):
        return (raw_sum, mean_raw, clamp_each)
    if f64(values["x_scale"]) * 255 * values["window"].shape[-1] >= np.finfo(np.float32).max:
        raise NotSimulated("its sum may leave float32, and what PyTorch makes of that is not known")
    into = real_sum
    if arithmetic.level == MEASURED and bool(values["alone"]):
        into = ordered_sum
    else:
        _refuse_doubtful(arithmetic, values)
    return (dequantize, into, mean_real, *quantize.stages(arithmetic, values))


def _refuse_doubtful(arithmetic: Arithmetic, values: Values) -> None:
    """Unless every partial sum is exact: a small enough integer in units of the scale."""
    unit = odd_part(f32(values["x_scale"]))
    steps = np.abs(f64(values["window"]) - f64(values["x_zp"])).sum(axis=-1)
    if steps.max(initial=0) * unit <= EXACT:
        return
    d, size = f64(dequantize.run(values)), values["window"].shape[-1]
    distance = (size + 2) * HALF_ULP * np.abs(d).sum(axis=-1) / size * (1 + HALF_ULP * 256)
    refuse_unless_equal(d.sum(axis=-1) / size, distance, arithmetic, values, REASON)


def _example(integers: bool) -> Example:
    shared = {"n": np.array([4]), "div": np.array([4]), "size": np.array([4])}
    scales = {"x_scale": 1.0, "x_zp": 1, "y_scale": 1.0, "y_zp": 1, "qmin": 0, "qmax": 255}
    own = {"window": np.array([[3, 9, 5, 9]], np.uint8), "image": False, "integers": integers}
    adding = {"order": np.array([[0, 1, 2, 3]]), "path": np.array([[2]]), "alone": True}
    given = {**own, **adding, **shared, **scales}
    return Example("fbgemm-avx2", given, (6,))  # 26 / 4 = 6.5, to even


OPS = (
    Op(
        "mean",
        "Mean",
        operands,
        stages,
        (_example(integers=True), _example(integers=False)),
        ("aten::mean",),
    ),
)
