"""Batch normalization of a quantized tensor, alone or with a fused ReLU."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import at_least, f32, f64, fma32, i32, rne, sat32
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops._clamp import clamp
from qdbg.ops._refused import check_float32, check_int64


@stage(
    "deviation",
    output="inv float32 [C]",
    formula="inv[c] = f32(1 / f32(sqrt(f32(var[c] + f32(eps)))))",
    constant=True,
)
def deviation(var: Array, eps: Array) -> Array:
    """The reciprocal of the standard deviation of each channel."""
    root = f32(np.sqrt(f64(f32(f64(var) + f64(f32(eps))))))
    return f32(1 / f64(root))


@stage(
    "factor",
    output="alpha float32 [C]",
    formula="alpha[c] = f32(f32(inv[c]·weight[c])·(x_scale / y_scale))",
    constant=True,
)
def factor(inv: Array, weight: Array, x_scale: Array, y_scale: Array) -> Array:
    """How many output steps one input step is worth."""
    return f32(f64(f32(f64(inv) * weight)) * (f64(x_scale) / f64(y_scale)))


@stage(
    "offset",
    output="beta float32 [C]",
    formula="beta[c] = f32(f32(bias[c] − f32(f32(mean[c]·inv[c])·weight[c])) / y_scale)",
    constant=True,
)
def offset(bias: Array, mean: Array, inv: Array, weight: Array, y_scale: Array) -> Array:
    """What is added, in output steps."""
    shift = f32(f64(f32(f64(mean) * inv)) * weight)
    return f32(f64(f32(f64(bias) - shift)) / f64(y_scale))


@stage(
    "normalize",
    output="z int32 [C]",
    formula="z[c] = rne(fma32(alpha[c], x_q[c] − x_zp, beta[c])) + y_zp",
)
def normalize(alpha: Array, x_q: Array, x_zp: Array, beta: Array, y_zp: Array) -> Array:
    """Multiply and add in one float32 operation, round half to even, add the zero point."""
    centred = f64(x_q) - f64(x_zp)
    return sat32(f64(rne(fma32(alpha, centred, beta))) + f64(y_zp))


@stage("relu", output="y_relu byte [C]", formula="y_relu[c] = max(y_q[c], y_zp)")
def relu(y_q: Array, y_zp: Array) -> Array:
    """The fused ReLU: nothing below the zero point remains."""
    return at_least(i32(y_q), i32(y_zp))


def operands(call: Call) -> dict[str, Array]:
    """x_q with the channels on the last axis, and the numbers of each channel. Raises
    NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    numbers = {}
    for name in ("mean", "var", "weight", "bias"):
        held = call.named(name)
        if not isinstance(held, np.ndarray):
            raise NotSimulated(f"its {name} is not recorded")
        numbers[name] = held
    return {
        "x_q": np.moveaxis(x.q, 1, -1),
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        **numbers,
        "eps": np.array(float(call.setting("eps"))),
        **output_operands(call, BYTES),
    }


def _refuse_large(values: Values) -> None:
    """Raises NotSimulated for results that PyTorch does not saturate."""
    made = dict(values)
    for each in (deviation, factor, offset):
        made[each.output] = each.run(made)
    farthest = np.abs(f64(values["x_q"]) - f64(values["x_zp"])).max(initial=0)
    largest = np.abs(f64(made["alpha"])) * farthest + np.abs(f64(made["beta"]))
    check_int64(largest)


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same kernel under every engine. Raises NotSimulated where it leaves its rule."""
    if arithmetic.engine != "textbook":
        check_float32(values)
        _refuse_large(values)
    return (deviation, factor, offset, normalize, clamp)


def stages_relu(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """With a fused ReLU."""
    return (*stages(arithmetic, values), relu)


EXAMPLE = Example(
    "textbook",
    {
        "x_q": np.array([[12]], np.uint8),
        "x_scale": 1.0,
        "x_zp": 10,
        "mean": np.array([1.0], np.float32),
        "var": np.array([1.0], np.float32),
        "weight": np.array([3.0], np.float32),
        "bias": np.array([0.5], np.float32),
        "eps": 0.0,
        "y_scale": 0.5,
        "y_zp": 10,
        "qmin": 0,
        "qmax": 255,
    },
    (17,),  # (2 − 1)·3 + 0.5 = 3.5, seven steps
)


def _op(name: str, title: str, axes: str, fused: bool) -> Op:
    return Op(
        f"{name}{'_relu' if fused else ''}",
        f"{title}{' + ReLU' if fused else ''}",
        operands,
        stages_relu if fused else stages,
        (EXAMPLE,),
        (f"quantized::{name}{'_relu' if fused else ''}",),
        channels_last=True,
        axes=axes,
    )


OPS = (
    *(_op("batch_norm2d", "BatchNorm2d", "nhw", fused) for fused in (False, True)),
    *(_op("batch_norm3d", "BatchNorm3d", "ndhw", fused) for fused in (False, True)),
    *(_op("batch_norm1d", "BatchNorm1d", "", fused) for fused in (False, True)),
    *(_op("batch_norm", "BatchNorm", "", fused) for fused in (False, True)),
)
