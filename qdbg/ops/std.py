"""Standard deviation over some axes."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import add32, f32, f64, i64, mul32, rne, sat32
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import quantize
from qdbg.ops._clamp import clamp_each
from qdbg.ops._elementwise import quantize_textbook, refuse_apart
from qdbg.ops._lanes import is_row_major
from qdbg.ops.mean import dequantize, reduced

LAST_BITS = 1e-9
"""How far sums in float64 and their differences may be off, relatively, whatever their order."""


@stage("sum", output="total int64 [I]", formula="total[i] = sum of window[i]")
def total(window: Array) -> Array:
    """Add up the integers; the zero point stays in, it does not change how far they spread."""
    return np.asarray(i64(window).sum(axis=-1))


@stage("squares", output="squares int64 [I]", formula="squares[i] = sum of window[i]·window[i]")
def squares(window: Array) -> Array:
    """Add up the squares of the integers."""
    return np.asarray((i64(window) ** 2).sum(axis=-1))


@stage(
    "variance",
    output="var float64 [I]",
    formula="var[i] = (n·squares[i] − total[i]·total[i]) / (n·(n − correction))",
)
def variance(n: Array, squares: Array, total: Array, correction: Array) -> Array:
    """The mean squared distance from the mean, in integer steps; the sum is divided by n less the
    correction."""
    spread = i64(n) * squares - total * total
    return np.asarray(f64(spread) / (f64(n) * (f64(n) - f64(correction))))


@stage("deviation", output="u float32 [I]", formula="u[i] = f32(sqrt(var[i])·x_scale)")
def deviation(var: Array, x_scale: Array) -> Array:
    """The square root, in real units."""
    return f32(np.sqrt(var) * f64(x_scale))


@stage(
    "quantize",
    output="z int32 [I]",
    formula="z[i] = rne(f32(y_zp + f32(u[i]·f32(1 / f32(y_scale)))))",
)
def back(y_zp: Array, u: Array, y_scale: Array) -> Array:
    """Back to output steps; the zero point is added before rounding."""
    return sat32(rne(add32(f32(y_zp), mul32(u, f32(1 / f64(f32(y_scale)))))))


@stage(
    "quantize",
    output="z int32 [I]",
    formula="z[i] = sat32(f32(y_zp + rne(f32(u[i]·f32(1 / f32(y_scale))))))",
)
def back_first(y_zp: Array, u: Array, y_scale: Array) -> Array:
    """Back to output steps; this release rounds, then adds the zero point."""
    return sat32(add32(f32(y_zp), rne(mul32(u, f32(1 / f64(f32(y_scale)))))))


@stage(
    "deviation", output="x float32 [I]", formula="x[i] = f32(deviation of d[i], of n − correction)"
)
def deviation_real(d: Array, n: Array, correction: Array) -> Array:
    """The root of the mean squared distance from the mean of the real values, in float64 and then
    rounded; the sum is divided by n less the correction."""
    return f32(_of_real(d, n, correction))


def _of_real(d: Array, n: Array, correction: Array) -> Array:
    wide = f64(d)
    off = wide - wide.mean(axis=-1, keepdims=True)
    return np.asarray(np.sqrt((off**2).sum(axis=-1) / (f64(n) - f64(correction))))


def operands(call: Call) -> dict[str, Array]:
    """window: the values of each deviation on the last axis. Raises NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    window, dims = reduced(call, x)
    correction = call.setting("correction", 1)
    n = window.shape[-1]
    if n <= float(correction):
        raise NotSimulated(f"it is that of {n} values with the correction {correction}: no number")
    last = dims == tuple(range(x.q.ndim - len(dims), x.q.ndim))
    return {
        "window": window,
        "n": np.array(n),
        "correction": np.array(float(correction)),
        "integers": np.array(last and is_row_major(x)),
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        **output_operands(call, BYTES),
    }


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """Of integers over the last axes of a row-major tensor, else of real values. Raises
    NotSimulated where the last bits of float64 sums decide."""
    into = (total, squares, variance, deviation)
    if arithmetic.engine == "textbook":
        return (*into, quantize_textbook, clamp_each)
    own = bool(values["integers"])
    if own:
        found = np.sqrt(variance.compute(*_sums(values))) * f64(values["x_scale"])
    else:
        found = _of_real(dequantize.run(values), values["n"], values["correction"])
    ends = (f32(found * (1 - LAST_BITS)), f32(found * (1 + LAST_BITS)))
    last = back_first if arithmetic.quantize == ROUNDED else back
    if own:
        refuse_apart(values, *(last.run({**values, "u": u}) for u in ends))
        return (*into, last, clamp_each)
    refuse_apart(values, *(quantize.integers_of(u, arithmetic, values) for u in ends))
    return (dequantize, deviation_real, *quantize.stages(arithmetic, values))


def _sums(values: Values) -> tuple[Array, Array, Array, Array]:
    return values["n"], squares.run(values), total.run(values), values["correction"]


def _example(arithmetic: str, **other: object) -> Example:
    """1, 3, 5, 7 are 3, 1, 1, 3 away from their mean: the squares are 20, their mean is 5."""
    shared: dict[str, object] = {
        "n": 4,
        "correction": 0.0,
        "x_scale": 2.0,
        "x_zp": 1,
        "y_scale": 2.0,
        "y_zp": 1,
    }
    shared |= {"window": np.array([[1, 3, 5, 7]], np.uint8), "qmin": 0, "qmax": 255}
    return Example(arithmetic, {"integers": True, **shared, **other}, (3,))


OPS = (
    Op(
        "std",
        "Standard deviation",
        operands,
        stages,
        (_example("fbgemm-avx2"), _example("fbgemm-avx2", integers=False), _example("textbook")),
        ("aten::std",),
    ),
)
