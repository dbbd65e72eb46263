"""ReLU6, Hardtanh and clamp: bounds that are quantized once, then compared as integers."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64, i32, rne, sat32, saturate
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands, quantized_operand
from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops._lanes import is_row_major

SIX = 6.0


def _bound(real: Array, x_scale: Array, x_zp: Array, qmin: Array, qmax: Array) -> Array:
    steps = f32(f64(f32(real)) * f32(1 / f64(f32(x_scale))))
    return sat32(saturate(rne(f32(f64(x_zp) + f64(steps))), float(qmin), float(qmax)))


@stage(
    "lower bound",
    output="low int32",
    formula="low = min(max(rne(f32(x_zp + f32(low_real·f32(1 / f32(x_scale))))), qmin), qmax)",
    constant=True,
)
def lower(low_real: Array, x_scale: Array, x_zp: Array, qmin: Array, qmax: Array) -> Array:
    """The lower bound as an integer of the input."""
    return _bound(low_real, x_scale, x_zp, qmin, qmax)


@stage(
    "upper bound",
    output="high int32",
    formula="high = min(max(rne(f32(x_zp + f32(high_real·f32(1 / f32(x_scale))))), qmin), qmax)",
    constant=True,
)
def upper(high_real: Array, x_scale: Array, x_zp: Array, qmin: Array, qmax: Array) -> Array:
    """The upper bound as an integer of the input."""
    return _bound(high_real, x_scale, x_zp, qmin, qmax)


def _bound_first(real: Array, x_scale: Array, x_zp: Array, qmin: Array, qmax: Array) -> Array:
    steps = rne(f32(f64(f32(real)) * f32(1 / f64(f32(x_scale)))))
    return sat32(saturate(f32(f64(x_zp) + f64(steps)), float(qmin), float(qmax)))


@stage(
    "lower bound",
    output="low int32",
    formula="low = min(max(f32(x_zp + rne(f32(low_real·f32(1 / f32(x_scale))))), qmin), qmax)",
    constant=True,
)
def lower_first(low_real: Array, x_scale: Array, x_zp: Array, qmin: Array, qmax: Array) -> Array:
    """The lower bound as an integer of the input; this release rounds before it adds the zero
    point."""
    return _bound_first(low_real, x_scale, x_zp, qmin, qmax)


@stage(
    "upper bound",
    output="high int32",
    formula="high = min(max(f32(x_zp + rne(f32(high_real·f32(1 / f32(x_scale))))), qmin), qmax)",
    constant=True,
)
def upper_first(high_real: Array, x_scale: Array, x_zp: Array, qmin: Array, qmax: Array) -> Array:
    """The upper bound as an integer of the input; this release rounds before it adds the zero
    point."""
    return _bound_first(high_real, x_scale, x_zp, qmin, qmax)


@stage("no bound", output="low int32", formula="low = qmin", constant=True)
def no_lower(qmin: Array) -> Array:
    """There is no lower bound."""
    return i32(qmin)


@stage("no bound", output="high int32", formula="high = qmax", constant=True)
def no_upper(qmax: Array) -> Array:
    """There is no upper bound."""
    return i32(qmax)


@stage("clamp", output="y_q byte [I]", formula="y_q[i] = min(max(x_q[i], low), high)")
def between(x_q: Array, low: Array, high: Array) -> Array:
    """Keep the integer between the two bounds; scale and zero point stay the input's."""
    return saturate(i32(x_q), int(low), int(high))


def operands(call: Call) -> dict[str, Array]:
    """x_q in its own shape, and the bounds as real values. Raises NotSimulated."""
    x = quantized_operand(call, dtypes=BYTES)
    low = call.setting("min", call.setting("min_val"))
    high = call.setting("max", call.setting("max_val"))
    found = {
        "x_q": x.q,
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "permuted": np.array(not is_row_major(x) and x.qparams.dtype == "quint8"),
        **output_operands(call, dtypes=BYTES),
    }
    if low is not None:
        found["low_real"] = np.array(float(low))
    if high is not None:
        found["high_real"] = np.array(float(high))
    return found


def relu6_operands(call: Call) -> dict[str, Array]:
    """The bounds are 0 and 6. Raises NotSimulated."""
    return operands(call) | {"low_real": np.array(0.0), "high_real": np.array(SIX)}


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """Raises NotSimulated for QNNPACK's clamp of a tensor that is not row-major."""
    if arithmetic.engine == "qnnpack" and bool(values["permuted"]):
        raise NotSimulated(
            "PyTorch's result is wrong: QNNPACK's clamp returns the pixels of a tensor that is not"
            " row-major in another order"
        )
    first = arithmetic.quantize == ROUNDED
    low = (lower_first if first else lower) if "low_real" in values else no_lower
    high = (upper_first if first else upper) if "high_real" in values else no_upper
    return (low, high, between)


EXAMPLE = Example(
    "textbook",
    {
        "x_q": np.array([5, 15, 40], np.uint8), "x_scale": 0.5, "x_zp": 10, "qmin": 0, "qmax": 255,
        "low_real": 0.0, "high_real": 6.0, "permuted": False,
    },
    (10, 15, 22),
)  # fmt: skip

OPS = (
    Op(
        "clamp",
        "Clamp",
        operands,
        stages,
        (EXAMPLE,),
        (
            "aten::clamp",
            "aten::clamp_",
            "quantized::clamp",
            "aten::hardtanh",
            "aten::hardtanh_",
        ),
    ),
    Op(
        "relu6",
        "ReLU6",
        relu6_operands,
        stages,
        (EXAMPLE,),
        ("quantized::relu6", "aten::relu6"),
    ),
)
