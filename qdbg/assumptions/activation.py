"""The ReLU and the clamp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Edit, Plan, Stages, after
from qdbg.core.arithmetic import at_least, f64, i64, rne, saturate
from qdbg.core.quantity import Array
from qdbg.core.roundings import (
    wrap_byte,
)
from qdbg.core.stage import Stage, stage


def _last(plan: Plan) -> Stage | None:
    stages = plan.stages
    return stages[-1] if stages and stages[-1].output == "y_q" else None


def _unclamped(formula: str, how: Callable[[Array], Array]) -> Edit:
    def edit(stages: Stages) -> Stages:
        if stages[-1].output != "y_q":
            return stages
        if stages[-1].name == "round":
            kept = tuple(s for s in stages[:-1] if s.name != "clamp")
            return (*kept, _made("z", formula.format("rne(z)"), lambda z: how(rne(z))))
        symbol = stages[-1].parameters[0]
        return (*stages[:-1], _made(symbol, formula.format(symbol), how))

    return edit


def _made(symbol: str, formula: str, how: Callable[[Array], Array]) -> Stage:
    return Stage(
        "clamp",
        "y_q",
        "int64",
        f"y_q = {formula}",
        "The integers are not kept inside the result's range as PyTorch does it.",
        (symbol,),
        lambda z: how(i64(z) if z.dtype.kind != "f" else z),
    )


CLAMPS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "none": ("{}", i64),
    "wraps": ("{} mod 256", lambda z: wrap_byte(i64(z))),
    "int8": ("min(max({}, -128), 127)", lambda z: i64(saturate(z, -128, 127))),
    "7-bit": ("min(max({}, 0), 127)", lambda z: i64(saturate(z, 0, 127))),
}
"""By variant its formula, and what it does to the number before the clamp."""


def _clamp(plan: Plan) -> Variants:
    last = _last(plan)
    if last is None or last.name not in {"clamp", "round"}:
        return
    for name, (formula, how) in CLAMPS.items():
        yield name, plan.edited(_unclamped(formula, how))


@stage("relu", output="y_q byte [C]", formula="y_q[c] = max(y_q_0[c], y_zp)")
def raised(y_q_0: Array, y_zp: Array) -> Array:
    """The ReLU that follows is applied here already."""
    return at_least(i64(y_q_0), i64(y_zp))


def _before_relu(plan: Plan) -> Variants:
    if plan.has("y_zp") and not plan.relu and plan.op.name != "relu":
        yield "", plan.edited(lambda stages: after(stages, "y_q", raised))


def _before_relu6(plan: Plan) -> Variants:
    if plan.has("y_zp", "y_scale", "qmax") and plan.op.name != "clamp":
        six = int(rne(6 / f64(plan.values["y_scale"])) + plan.values["y_zp"])
        if six < plan.values["qmax"]:
            yield "", plan.edited(lambda stages: after(stages, "y_q", _capped(six)))


def _capped(six: int) -> Stage:
    return Stage(
        "relu",
        "y_q",
        "byte [C]",
        f"y_q[c] = min(max(y_q_0[c], y_zp), {six})",
        f"The ReLU6 that follows is applied here already: {six} stands for the real value 6.",
        ("y_q_0", "y_zp"),
        lambda y_q_0, y_zp: saturate(i64(y_q_0), int(y_zp), six),
    )


@stage("relu", output="acc int32 [C]", formula="acc[c] = max(acc_0[c], 0)")
def floored_sum(acc_0: Array) -> Array:
    """The ReLU is applied to the sum of products, before the bias is added."""
    return at_least(acc_0, np.array(0, acc_0.dtype))


def _relu_before_bias(plan: Plan) -> Variants:
    if plan.kernel is not None and plan.has("b"):
        yield "", plan.edited(lambda stages: after(stages, "acc", floored_sum))


def _relu_missing(plan: Plan) -> Variants:
    if plan.op.name == "relu":
        yield "", plan.having(x_zp=np.array(0, np.int64))
    elif plan.relu:
        yield "", replace(plan, relu=False)


HYPOTHESES = (
    Hypothesis(
        "captured-before-relu",
        "relu",
        "one side is before the ReLU, the other behind it",
        "a forward hook on Linear sees its result before the module's own ReLU",
        "compare with the call of the ReLU, or leave it out",
        _before_relu,
    ),
    Hypothesis(
        "captured-before-relu6",
        "relu",
        "one side is before the ReLU6, the other behind it",
        "a forward hook on a convolution sees its result before the module's own ReLU6",
        "compare with the call of the clamp, or leave it out",
        _before_relu6,
        weight=2,  # a floor and a cap
    ),
    Hypothesis(
        "relu-missing",
        "relu",
        "the ReLU is missing, or its floor is the integer 0 and not the zero point",
        "the real value 0 is the integer y_zp",
        "apply max(y_q, y_zp)",
        _relu_missing,
    ),
    Hypothesis(
        "relu-before-bias",
        "relu",
        "the ReLU comes before the bias",
        "max(Σ x·w, 0) + b is not max(Σ x·w + b, 0)",
        "add the bias first",
        _relu_before_bias,
    ),
    Hypothesis(
        "clamp",
        "clamp",
        "the result is not clamped to the dtype's range, but to another one or not at all",
        "pytorch#56331: quint8 holds 0 … 255, and what lies outside saturates",
        "clamp to qmin … qmax after adding the zero point",
        _clamp,
    ),
)
