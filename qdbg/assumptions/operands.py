"""What goes into a call: bytes, zero points, and whose parameters they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import JOINING, Edit, Plan, after
from qdbg.core.arithmetic import at_least, i32, i64
from qdbg.core.op import Call, laid_out
from qdbg.core.quantity import Array, QTensor
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


CHANGED_ZERO_POINTS: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("", np.zeros_like),
    ("added", np.negative),
)
"""What becomes of a zero point that is to be subtracted."""
OF_INPUTS = ("x_zp", "a_zp", "b_zp", "r_zp")
"""The zero points of what a call takes that are not its weights."""
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
"""Operands behind the eighth are changed together with the others only."""


def _zero_points(plan: Plan, names: Iterable[str], of: str = "") -> Variants:
    """Those of these operands that are not 0, changed together."""
    held = [n for n in names if plan.has(n) and np.any(plan.values[n])]
    for how, change in CHANGED_ZERO_POINTS if held else ():
        variant = "-".join(word for word in (of, how) if word)
        yield variant, plan.having(**{n: change(plan.values[n]) for n in held})


def _input_zero_points(plan: Plan) -> Variants:
    """Of all operands, then of each alone where several have one."""
    yield from _zero_points(plan, OF_INPUTS)
    own = [name for name in OF_INPUTS if plan.has(name)]
    if plan.op.name.removesuffix("_relu") in JOINING:
        yield from _of_joined(plan)
    elif sum(bool(np.any(plan.values[name])) for name in own) > 1:
        for ordinal, name in zip(ORDINALS, own, strict=False):
            yield from _zero_points(plan, (name,), ordinal)


def _of_joined(plan: Plan) -> Variants:
    """Of one of the tensors that are joined: their zero points are one operand of the stages."""
    places = [
        place
        for place, tensor in enumerate(plan.call.inputs)
        if isinstance(tensor, QTensor) and np.any(tensor.qparams.zero_point)
    ]
    for place in places if len(places) > 1 else ():
        for how, change in CHANGED_ZERO_POINTS if place < len(ORDINALS) else ():
            values = laid_out(plan.op, _with_zero_point(plan.call, place, change))
            variant = "-".join(word for word in (ORDINALS[place], how) if word)
            yield variant, plan.having(x_zp=values["x_zp"])


def _with_zero_point(call: Call, place: int, change: Callable[[Array], Array]) -> Call:
    tensor = call.inputs[place]
    assert isinstance(tensor, QTensor)  # noqa: S101 - for the type checker: callers have looked
    params = replace(tensor.qparams, zero_point=change(tensor.qparams.zero_point))
    inputs = list(call.inputs)
    inputs[place] = replace(tensor, qparams=params)
    return replace(call, inputs=tuple(inputs))


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
        "subtract x_zp from every input before multiplying; of several operands, from each its own",
        _input_zero_points,
    ),
    Hypothesis(
        "weight-zero-point",
        "weight zero point",
        "the weights' zero point is not subtracted, or added",
        "asymmetric weights: w_real = w_scale·(w_q − w_zp)",
        "subtract w_zp from every weight",
        lambda plan: _zero_points(plan, ("w_zp",)),
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
