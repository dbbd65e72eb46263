"""Normalization by the mean and variance of each group of values.

The arrays are [rows, N]: a row is what is normalized together.
"""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, fma32, i64, saturate
from qdbg.core.op import BYTES, Call, NotSimulated, output_operands
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import stage

TOGETHER = 2**15
"""The longest row that is claimed: its sum of squares stays within 32 bits."""


@stage("sum", output="total int64 [N]", formula="total[i] = sum of x_q over its group")
def total(x_q: Array) -> Array:
    """Add up the integers of the group; the zero point stays in."""
    return np.asarray(i64(x_q).sum(axis=-1, keepdims=True))


@stage("squares", output="squares int64 [N]", formula="squares[i] = sum of x_q·x_q over its group")
def squares(x_q: Array) -> Array:
    """Add up the squares of the integers of the group."""
    return np.asarray((i64(x_q) ** 2).sum(axis=-1, keepdims=True))


@stage("mean", output="mean float32 [N]", formula="mean[i] = f32(f32(total[i]) / f32(n))")
def mean(total: Array, n: Array) -> Array:
    """Their mean, in integer steps, the zero point still in."""
    return f32(f64(f32(total)) / f64(f32(n)))


@stage(
    "variance",
    output="var float32 [N]",
    formula="var[i] = max(fma32(−mean[i], mean[i], f32(f32(squares[i]) / f32(n))), 0)",
)
def variance(mean: Array, squares: Array, n: Array) -> Array:
    """The mean of the squares less the square of the mean, at least 0."""
    found = fma32(-mean, mean, f32(f64(f32(squares)) / f64(f32(n))))
    return saturate(found, 0.0, np.inf)


@stage(
    "factor",
    output="r float32 [N]",
    formula="r[i] = f32(f32(x_scale) / sqrt(f32(f32(var[i]·f32(x_scale))·f32(x_scale)) + eps))",
)
def factor(x_scale: Array, var: Array, eps: Array) -> Array:
    """The input's scale over the standard deviation; the root is taken in float64."""
    scale = f64(f32(x_scale))
    real = f32(f64(f32(f64(var) * scale)) * scale)
    return f32(scale / np.sqrt(f64(real) + f64(eps)))


@stage("centre", output="centre float32 [N]", formula="centre[i] = f32(mean[i] − x_zp)")
def shifted_mean(mean: Array, x_zp: Array) -> Array:
    """The mean without the zero point."""
    return f32(f64(mean) - f64(x_zp))


@stage(
    "normalize",
    output="u float32 [N]",
    formula="u[i] = fma32(f32(f32(x_q[i] − x_zp − centre[i])·r[i]), gamma[i], beta[i])",
)
def normalize_layer(
    x_q: Array, x_zp: Array, centre: Array, r: Array, gamma: Array, beta: Array
) -> Array:
    """Take the mean off, divide by the deviation, multiply by the weight and add the bias; the
    last two are one float32 operation."""
    off = f32(f64(x_q) - f64(x_zp) - f64(centre))
    return fma32(f32(f64(off) * f64(r)), gamma, beta)


@stage(
    "normalize",
    output="u float32 [N]",
    formula="u[i] = fma32(f32(x_q[i] − x_zp − centre[i]), f32(r[i]·gamma[i]), beta[i])",
)
def normalize_group(
    x_q: Array, x_zp: Array, centre: Array, r: Array, gamma: Array, beta: Array
) -> Array:
    """Take the mean off, then multiply by deviation and weight, which are one number, and add the
    bias in the same float32 operation."""
    off = f32(f64(x_q) - f64(x_zp) - f64(centre))
    return fma32(off, f32(f64(r) * f64(gamma)), beta)


@stage(
    "normalize",
    output="u float32 [N]",
    formula="u[i] = fma32(x_q[i] − x_zp, f32(r[i]·gamma[i]),"
    " fma32(−f32(r[i]·gamma[i]), centre[i], beta[i]))",
)
def normalize_last(
    x_q: Array, x_zp: Array, r: Array, gamma: Array, centre: Array, beta: Array
) -> Array:
    """Multiply by deviation and weight, which are one number, and add what the mean and the bias
    give together, in one float32 operation."""
    both = f32(f64(r) * f64(gamma))
    return fma32(f64(x_q) - f64(x_zp), both, fma32(-both, centre, beta))


@stage(
    "normalize",
    output="u float64 [N]",
    formula="u[i] = (x_q[i] − total[i] / n)·x_scale / sqrt(v·x_scale² + eps)·gamma[i] + beta[i],"
    " v = squares[i] / n − (total[i] / n)²",
)
def normalize_textbook(
    x_q: Array,
    total: Array,
    squares: Array,
    n: Array,
    x_scale: Array,
    eps: Array,
    gamma: Array,
    beta: Array,
) -> Array:
    """Take the mean off, divide by the standard deviation, multiply by the weight, add the bias."""
    middle = total / f64(n)
    spread = saturate(squares / f64(n) - middle**2, 0.0, np.inf)
    root = np.sqrt(spread * f64(x_scale) ** 2 + f64(eps))
    return np.asarray((f64(x_q) - middle) * f64(x_scale) / root * f64(gamma) + f64(beta))


STATISTICS = (total, squares, mean, variance, factor, shifted_mean)
"""From the integers of a group to its mean and deviation."""


def operands(call: Call, x: QTensor, rows: int) -> dict[str, Array]:
    """x_q [rows, N] and the numbers of the call. Raises NotSimulated."""
    if x.q.size == 0:
        raise NotSimulated("it has no elements")
    x_q = x.q.reshape(rows, -1)
    if x_q.shape[1] > TOGETHER:
        raise NotSimulated(
            f"it normalizes {x_q.shape[1]} values together; up to {TOGETHER} is claimed"
        )
    return {
        "x_q": x_q,
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "n": np.array(x_q.shape[1]),
        "eps": np.array(float(call.setting("eps"))),
        **output_operands(call, BYTES),
    }


def numbers(call: Call, name: str, size: int, otherwise: float) -> Array:
    """The weight or the bias, flat; where the call has none, 1 or 0. Raises NotSimulated."""
    held = call.named(name)
    if held is None and name not in call.node.names:
        return np.full(size, otherwise, np.float32)
    if not isinstance(held, np.ndarray) or held.dtype != np.float32 or held.size != size:
        raise NotSimulated(f"its {name} is not a recorded float32 tensor of {size} numbers")
    return held.reshape(-1)
