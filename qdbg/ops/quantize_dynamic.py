"""Quantize by the tensor's own range: scale and zero point are computed, too."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f64, i64, rne, saturate
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, output_operands
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage
from qdbg.ops import _range, quantize
from qdbg.ops._range import largest, smallest


@stage("range", output="bottom int64", formula="bottom = qmin", constant=True)
def whole_bottom(qmin: Array) -> Array:
    """The smallest integer of the whole range."""
    return i64(qmin)


@stage("range", output="top int64", formula="top = qmax", constant=True)
def whole_top(qmax: Array) -> Array:
    """The largest integer of the whole range."""
    return i64(qmax)


@stage("range", output="bottom int64", formula="bottom = qmin / 2, towards 0", constant=True)
def reduced_bottom(qmin: Array) -> Array:
    """The smallest integer of the reduced range, for which the call asks."""
    return i64(f64(qmin) / 2)


@stage("range", output="top int64", formula="top = qmax / 2, towards 0", constant=True)
def reduced_top(qmax: Array) -> Array:
    """The largest integer of the reduced range, for which the call asks."""
    return i64(f64(qmax) / 2)


WHOLE = (whole_bottom, whole_top)
REDUCED = (reduced_bottom, reduced_top)
"""The integers between which the range of the values is spread."""


@stage(
    "scale",
    output="y_scale float64",
    formula="y_scale = (x_max − x_min) / (top − bottom), not below 6.1e-5; 0.1 where it vanishes",
    constant=True,
)
def scale(x_max: Array, x_min: Array, top: Array, bottom: Array) -> Array:
    """The range of the values, spread over the integers from bottom to top."""
    return _range.input_scale.compute(x_max, x_min, top - bottom)


@stage(
    "zero point",
    output="y_zp int64",
    formula="y_zp = rne(bottom − x_min / y_scale), or rne(top − x_max / y_scale) if that is nearer",
    constant=True,
)
def zero_point(bottom: Array, x_min: Array, y_scale: Array, top: Array, x_max: Array) -> Array:
    """The integer that stands for 0, counted from that end of the range which is nearer to 0."""
    low, high = _range.stretched(x_min, x_max, y_scale, top - bottom)
    from_low, from_high = f64(bottom) - low / y_scale, f64(top) - high / y_scale
    nearer = abs(bottom) + abs(low / y_scale) < abs(top) + abs(high / y_scale)
    return i64(saturate(rne(from_low if nearer else from_high), float(bottom), float(top)))


@stage(
    "scale",
    output="y_scale float64",
    formula="y_scale = (x_max − x_min) / (top − bottom)",
    constant=True,
)
def textbook_scale(x_max: Array, x_min: Array, top: Array, bottom: Array) -> Array:
    """The range of the values, spread over the integers from bottom to top."""
    return _range.textbook_scale.compute(x_max, x_min, top - bottom)


@stage(
    "zero point",
    output="y_zp int64",
    formula="y_zp = rne(bottom − x_min / y_scale)",
    constant=True,
)
def textbook_zero_point(bottom: Array, x_min: Array, y_scale: Array) -> Array:
    """The integer that stands for 0."""
    return i64(rne(f64(bottom) - f64(x_min) / y_scale))


def operands(call: Call) -> dict[str, Array]:
    """x float32 in its own shape, the ends of the range of integers, and the scale and zero point
    that PyTorch chose, for comparison. Raises NotSimulated."""
    x, output = quantize.real(call), output_operands(call, BYTES)
    if not x.size or not np.isfinite(x).all():
        raise NotSimulated("its input is empty or holds NaN or an infinity: it has no range")
    return {
        "x": x,
        "reduced": np.array(bool(call.setting("reduce_range"))),
        "qmin": output["qmin"],
        "qmax": output["qmax"],
        "chosen_scale": output["y_scale"],
        "chosen_zp": output["y_zp"],
    }


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """From the range to scale and zero point, from those to the integers; QNNPACK knows no reduced
    range. Raises NotSimulated where PyTorch chose another scale or zero point."""
    reduced = bool(values["reduced"]) and arithmetic.engine != "qnnpack"
    ends = (smallest, largest, *(REDUCED if reduced else WHOLE))
    if arithmetic.engine == "textbook":
        own = (*ends, textbook_scale, textbook_zero_point)
        return (*own, *quantize.stages(arithmetic, values))
    made, into = dict(values), (*ends, scale, zero_point)
    for each in into:
        made[each.output] = each.run(made)
    _compare(made)
    return (*into, *quantize.stages(arithmetic, values))


def _compare(made: Values) -> None:
    found = float(made["y_scale"]), int(made["y_zp"])
    chosen = float(made["chosen_scale"]), int(made["chosen_zp"])
    if found != chosen:
        raise NotSimulated(
            f"PyTorch chose the scale {chosen[0]!r} and the zero point {chosen[1]}, its rule gives"
            f" {found[0]!r} and {found[1]}"
        )


EXAMPLE = Example(
    "fbgemm-avx2",
    {
        "x": np.array([-1.0, 0.5, 126.5], np.float32),
        "reduced": False,
        "qmin": 0,
        "qmax": 255,
        "chosen_scale": 0.5,
        "chosen_zp": 2,
    },
    (0, 3, 255),  # 127.5 / 255 = 0.5, and −1 is 2 steps below 0
)

OPS = (
    Op(
        "quantize_dynamic",
        "Quantize by its own range",
        operands,
        stages,
        (EXAMPLE,),
        ("aten::quantize_per_tensor_dynamic",),
    ),
)
