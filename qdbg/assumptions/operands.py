"""What goes into a call: bytes, zero points, and whose parameters they have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Edit, Plan, after
from qdbg.core.arithmetic import at_least, i32, i64
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage

BYTES = 256
SIGN = 128


def _signed(x: Array) -> Array:
    wide = i32(x)
    return np.where(wide >= SIGN, wide - BYTES, wide)


def _input_bytes(plan: Plan) -> Variants:
    for name in ("x_q", "window"):
        if plan.has(name) and np.asarray(plan.values[name]).dtype == np.uint8:
            x = plan.values[name]
            yield "int8", plan.having(**{name: _signed(x)})
            yield "minus-128", plan.having(**{name: i32(x) - SIGN})


def _weight_bytes(plan: Plan) -> Variants:
    if plan.has("w_q", "x_q"):
        w, x = i32(plan.values["w_q"]), i32(plan.values["x_q"])  # products of bytes no more
        yield "uint8", plan.having(w_q=np.where(w < 0, w + BYTES, w), x_q=x)
        yield "plus-128", plan.having(w_q=w + SIGN, x_q=x)


def _zero_point_of(*names: str) -> Callable[[Plan], Variants]:
    def change(plan: Plan) -> Variants:
        held = [n for n in names if plan.has(n) and np.any(plan.values[n])]
        if held:
            yield "", plan.having(**{n: np.zeros_like(plan.values[n]) for n in held})
            yield "added", plan.having(**{n: -plan.values[n] for n in held})

    return change


def _result_zero_point(plan: Plan) -> Variants:
    if plan.has("y_zp") and np.any(plan.values["y_zp"]):
        yield "", plan.having(y_zp=np.zeros_like(plan.values["y_zp"]))
        yield "subtracted", plan.having(y_zp=-plan.values["y_zp"])
        if plan.relu:
            yield (
                "but-in-relu",
                plan.edited(_floor_kept(plan.values["y_zp"])).having(
                    y_zp=np.zeros_like(plan.values["y_zp"])
                ),
            )


def _floor_kept(zero_point: Array) -> Edit:
    """The fused ReLU's floor stays where it was."""

    def kept(y_q_0: Array) -> Array:
        return at_least(i64(y_q_0), i64(zero_point))

    made = Stage(
        "relu",
        "y_q",
        "byte [C]",
        f"y_q[c] = max(y_q_0[c], {int(zero_point)})",
        "The ReLU's floor is the result's zero point, which was not added.",
        ("y_q_0",),
        kept,
    )
    return lambda stages: after(stages, "y_q", made)


def _uncalibrated(plan: Plan) -> Variants:
    for letter, name in (("y", "result"), ("x", "input")):
        if plan.has(f"{letter}_scale", f"{letter}_zp"):
            scale, zp = plan.values[f"{letter}_scale"], plan.values[f"{letter}_zp"]
            one = {f"{letter}_scale": np.ones_like(scale), f"{letter}_zp": np.zeros_like(zp)}
            yield name, plan.having(**one)


def _other_parameters(plan: Plan) -> Variants:
    if plan.has("x_scale", "y_scale", "x_zp", "y_zp") and plan.kernel is not None:
        own = {n: plan.values[n] for n in ("x_scale", "x_zp", "y_scale", "y_zp")}
        yield "input-as-result", plan.having(y_scale=own["x_scale"], y_zp=own["x_zp"])
        yield "result-as-input", plan.having(x_scale=own["y_scale"], x_zp=own["y_zp"])
    for name, params in plan.call.others():
        if plan.has("y_scale", "y_zp"):
            yield f"result-of-{name}", plan.having(y_scale=params.scale, y_zp=params.zero_point)


HYPOTHESES = (
    Hypothesis(
        "input-bytes",
        "input bytes",
        "the input's bytes are read as other integers",
        "quint8 is unsigned: numpy's int8, or minus 128, needs another zero point",
        "read the input as uint8",
        _input_bytes,
    ),
    Hypothesis(
        "weight-bytes",
        "input bytes",
        "the weights' bytes are read as unsigned",
        "qint8 is signed",
        "read the weights as int8",
        _weight_bytes,
    ),
    Hypothesis(
        "input-zero-point",
        "input zero point",
        "the input's zero point is not subtracted, or added",
        "forum 197716; real = scale·(q − zero_point)",
        "subtract x_zp from every input before multiplying (of a sum: from both operands)",
        _zero_point_of("x_zp", "a_zp", "b_zp"),
    ),
    Hypothesis(
        "weight-zero-point",
        "weight zero point",
        "the weights' zero point is not subtracted, or added",
        "asymmetric weights: w_real = w_scale·(w_q − w_zp)",
        "subtract w_zp from every weight",
        _zero_point_of("w_zp"),
    ),
    Hypothesis(
        "output-zero-point",
        "output zero point",
        "the result's zero point is not added, or subtracted",
        "y_q = round(y_real / y_scale) + y_zp",
        "add y_zp before the clamp",
        _result_zero_point,
    ),
    Hypothesis(
        "uncalibrated",
        "parameters",
        "scale 1 and zero point 0, as before calibration",
        "an observer that saw no data leaves scale 1 and zero point 0",
        "take scale and zero point from the converted model, after calibration",
        _uncalibrated,
    ),
    Hypothesis(
        "other-parameters",
        "parameters",
        "scale and zero point are those of another tensor",
        "each layer's result has its own scale and zero point",
        "take the parameters of this call, which the debugger lists",
        _other_parameters,
    ),
)
