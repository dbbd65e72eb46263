"""Softmax: exponentials along one axis, as parts of their sum."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import add32, div32, f32, f64, i64, mul32, rne, saturate
from qdbg.core.exponential import exp_vector
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import quantize
from qdbg.ops._clamp import clamp_each
from qdbg.ops._elementwise import dequantize_textbook, refuse_apart
from qdbg.ops._lanes import is_row_major
from qdbg.ops._orders import refuse_unless_equal
from qdbg.ops._refused import check_scales
from qdbg.ops.sigmoid import dequantize

LANES = 8
"""Numbers of float32 in a vector of AVX2."""
ULP = 2.0**-23
"""The relative error of a float32 function that is right to one unit in the last place."""
LEAST = 2.0**-126
STEPS, TABLE_TOP = 256, 8388607.0
BYTE, WORD = 255, 2**32 - 1
REASON = (
    "it adds float32 exponentials in an order that is known on AVX2 and along the last axis alone,"
    " and one of its results lies so near a rounding tie that the order decides"
)
MISPLACED = (
    "PyTorch's result is not reliable: QNNPACK's softmax puts results of a tensor that is not"
    " row-major in the wrong places"
)


@stage("largest", output="top float32 [I]", formula="top[i] = max of d[over dim]")
def largest(d: Array, dim: Array) -> Array:
    """The largest real value along the axis: it is taken off, so that no exponential overflows."""
    return np.asarray(d.max(axis=int(dim), keepdims=True))


@stage("exponential", output="e float32 [I]", formula="e[i] = exp(f32(d[i] − top[i]))")
def exponential(d: Array, top: Array) -> Array:
    """The exponential of the value less the largest, between 0 and 1: the vector library's, which
    may be off in the last bit."""
    return exp_vector(f32(f64(d) - f64(top)))


@stage("sum", output="total float32 [I]", formula="total[i] = sum of e[over dim]")
def total_lanes(e: Array, dim: Array) -> Array:
    """Add the exponentials up: number k to sum k mod 8, then the eight sums with each other, each
    time to float32. Fewer than eight are added one after the other."""
    return np.asarray(np.moveaxis(_added(np.moveaxis(e, int(dim), -1)), -1, int(dim)))


@stage("sum", output="total float32 [I]", formula="total[i] = sum of e[over dim]")
def total_any(e: Array, dim: Array) -> Array:
    """Add the exponentials up. PyTorch rounds each partial sum to float32, in an order of its own;
    here no order leads to another integer in the end, so this is the exact sum, rounded once."""
    return f32(f64(e).sum(axis=int(dim), keepdims=True))


def _added(e: Array) -> Array:
    size = e.shape[-1]
    sums = e[..., : LANES if size >= LANES else 1]
    for start in range(sums.shape[-1], size, sums.shape[-1]):
        part = e[..., start : start + sums.shape[-1]]
        head = add32(sums[..., : part.shape[-1]], part)
        sums = np.concatenate([head, sums[..., part.shape[-1] :]], axis=-1)
    while sums.shape[-1] > 1:
        half = sums.shape[-1] // 2
        sums = add32(sums[..., :half], sums[..., half:])
    return sums


@stage("softmax", output="x float32 [I]", formula="x[i] = f32(e[i]·f32(1 / total[i]))")
def softmax(e: Array, total: Array) -> Array:
    """The part that the exponential has in the sum: times the reciprocal of the sum."""
    return mul32(e, div32(np.ones_like(total), total))


@stage(
    "softmax",
    output="x float64 [I]",
    formula="x[i] = exp(d[i]) / sum of exp(d[over dim])",
)
def softmax_textbook(d: Array, dim: Array) -> Array:
    """The part that the exponential has in the sum of all along the axis."""
    e = np.exp(f64(d) - f64(d).max(axis=int(dim), keepdims=True))
    return np.asarray(e / e.sum(axis=int(dim), keepdims=True))


@stage("largest", output="q_top int64 [I]", formula="q_top[i] = max of x_q[over dim]")
def largest_integer(x_q: Array, dim: Array) -> Array:
    """The largest integer along the axis."""
    return np.asarray(i64(x_q).max(axis=int(dim), keepdims=True))


@stage(
    "exponential",
    output="t int64 [I]",
    formula="t[i] = rne(min((2³² − 1) / size, 8388607)·exp((x_q[i] − q_top[i])·f32(x_scale)))",
)
def table_exponential(size: Array, x_q: Array, q_top: Array, x_scale: Array) -> Array:
    """The exponential of the value less the largest, as an integer from QNNPACK's table of 256:
    so scaled that the sum of a whole row fits into 32 bits."""
    return i64(rne(_scaled(size, x_q, q_top, x_scale)))


def _scaled(size: Array, x_q: Array, q_top: Array, x_scale: Array) -> Array:
    steps = f64(x_q) - f64(q_top)
    return np.asarray(saturate(WORD / f64(size), 0, TABLE_TOP) * np.exp(steps * f64(f32(x_scale))))


@stage("sum", output="total int64 [I]", formula="total[i] = sum of t[over dim]")
def table_total(t: Array, dim: Array) -> Array:
    """Add the integers of the axis up."""
    return np.asarray(t.sum(axis=int(dim), keepdims=True))


@stage("softmax", output="z int64 [I]", formula="z[i] = (256·t[i] + total[i] // 2) // total[i]")
def table_softmax(t: Array, total: Array) -> Array:
    """The part of the sum in 256ths, by a division of integers that rounds half up."""
    return np.asarray((STEPS * t + total // 2) // total)


def operands(call: Call) -> dict[str, Array]:
    """x_q in its own shape, and the axis along which the parts add up to 1. Raises NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    if not x.q.size or not x.q.ndim:
        raise NotSimulated("it has no elements, or no axis")
    dim = int(call.setting("dim")) % x.q.ndim
    return {
        "x_q": x.q,
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "dim": np.array(dim),
        "size": np.array(x.q.shape[dim]),
        "dense": np.array(is_row_major(x)),
        **output_operands(call, BYTES),
    }


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """QNNPACK has a kernel of its own, in integers. Raises NotSimulated where the order of the
    float32 sums decides, and is not known."""
    if arithmetic.engine == "textbook":
        into = (dequantize_textbook, softmax_textbook)
        return (*into, *quantize.stages(arithmetic, values))
    fixed = float(values["y_scale"]) == 1 / STEPS and int(values["y_zp"]) == 0
    if arithmetic.engine == "qnnpack" and int(values["qmin"]) == 0 and fixed:
        check_scales(values, "x_scale")
        if not bool(values["dense"]):
            raise NotSimulated(MISPLACED)
        _refuse_near_ties_of_the_table(values)
        return (largest_integer, table_exponential, table_total, table_softmax, clamp_each)
    last = int(values["dim"]) == np.ndim(values["x_q"]) - 1
    known = last and arithmetic.level == "avx2"
    if not known:
        _refuse_doubtful(arithmetic, values)
    total = total_lanes if known else total_any
    back = quantize.stages(arithmetic, values)
    return (dequantize, largest, exponential, total, softmax, *back)


def _refuse_near_ties_of_the_table(values: Values) -> None:
    off = np.arange(-BYTE, 1)
    exact = _scaled(values["size"], off, np.array(0), values["x_scale"])
    near = exact * ULP**2
    refuse_apart({"qmin": 0, "qmax": WORD}, rne(exact - near), rne(exact + near))


def _refuse_doubtful(arithmetic: Arithmetic, values: Values) -> None:
    dim = int(values["dim"])
    d = dequantize.run(values)
    e = np.exp(f64(f32(f64(d) - f64(d.max(axis=dim, keepdims=True)))))
    exact = e / e.sum(axis=dim, keepdims=True)
    spread = exact * ULP * (int(values["size"]) / 2 + 4) + LEAST
    refuse_unless_equal(exact, spread, arithmetic, values, REASON)


def _example(arithmetic: str) -> Example:
    """Three equal values share 1, a far smaller one has nothing: 85.33 of 256 steps each."""
    x_q = np.array([[200, 200, 10, 200]], np.uint8)
    shared = {
        "x_scale": 0.5,
        "x_zp": 10,
        "dim": 1,
        "size": 4,
        "dense": True,
        "qmin": 0,
        "qmax": 255,
    }
    own = {"x_q": x_q, "y_scale": 1 / 256, "y_zp": 0}
    return Example(arithmetic, {**own, **shared}, (85, 85, 0, 85))


OPS = (
    Op(
        "softmax",
        "Softmax",
        operands,
        stages,
        (_example("textbook"), _example("fbgemm-avx2"), _example("qnnpack-vnni")),
        ("quantized::softmax",),
    ),
)
