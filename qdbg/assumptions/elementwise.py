"""Ops without weights: sums of tensors, concatenation, pooling, and whole engines."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import JOINING, Edit, Plan
from qdbg.assumptions.rounding import ROUNDINGS
from qdbg.core.arithmetic import f64, i64, rne, sat32
from qdbg.core.op import NotSimulated
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage, stage
from qdbg.core.versions import arithmetics
from qdbg.ops._clamp import clamp_each, relu_clamp_each

POOLS = ("avg_pool", "adaptive_avg_pool", "mean")


@stage("add", output="z int64 [I]", formula="z[i] = a_q[i] + b_q[i]")
def raw_add(a_q: Array, b_q: Array) -> Array:
    """Add the integers as they are, without dequantizing them."""
    return i64(a_q) + i64(b_q)


@stage("add", output="z int64 [I]", formula="z[i] = a_q[i] + b_q[i] − a_zp")
def raw_add_centred(a_q: Array, b_q: Array, a_zp: Array) -> Array:
    """Add the integers and take one zero point off, without looking at the scales."""
    return i64(a_q) + i64(b_q) - i64(a_zp)


@stage("add", output="z int64 [I]", formula="z[i] = a_q[i] − a_zp + b_q[i] − b_zp + y_zp")
def raw_add_centred_both(a_q: Array, a_zp: Array, b_q: Array, b_zp: Array, y_zp: Array) -> Array:
    """Add the centred integers, without looking at the scales."""
    return i64(a_q) - i64(a_zp) + i64(b_q) - i64(b_zp) + i64(y_zp)


@stage("add", output="z int64 [I]", formula="z[i] = ⌊(a_q[i] + b_q[i]) / 2⌋")
def raw_mean(a_q: Array, b_q: Array) -> Array:
    """Halve the sum of the integers, so that it fits a byte, without looking at the scales."""
    return (i64(a_q) + i64(b_q)) >> 1


@stage(
    "add",
    output="z int32 [I]",
    formula="z[i] = rne(a_scale·(a_q[i] − a_zp) / y_scale)"
    " + rne(b_scale·(b_q[i] − b_zp) / y_scale) + y_zp",
)
def add_rounded(
    a_scale: Array, a_q: Array, a_zp: Array, b_scale: Array, b_q: Array, b_zp: Array,
    y_scale: Array, y_zp: Array,
) -> Array:  # fmt: skip
    """Round each operand to steps of the result, then add the steps."""
    steps = [
        rne(f64(scale) * (f64(q) - f64(zp)) / f64(y_scale))
        for scale, q, zp in ((a_scale, a_q, a_zp), (b_scale, b_q, b_zp))
    ]
    return sat32(steps[0] + steps[1] + f64(y_zp))


@stage("multiply", output="z int64 [I]", formula="z[i] = a_q[i]·b_q[i]")
def raw_multiply(a_q: Array, b_q: Array) -> Array:
    """Multiply the integers as they are."""
    return i64(a_q) * i64(b_q)


@stage("join", output="z int64 [I]", formula="z[i] = x_q[i]")
def raw_join(x_q: Array) -> Array:
    """Put the integers side by side as they are, without requantizing them."""
    return i64(x_q)


def _instead(plan: Plan, *stages: Stage) -> Plan:
    last = relu_clamp_each if plan.relu else clamp_each
    return plan.edited(lambda _: (*stages, last))


def _raw(plan: Plan) -> Variants:
    name = plan.op.name.removesuffix("_relu")
    if name == "add":
        yield "", _instead(plan, raw_add)
        yield "one-zero-point", _instead(plan, raw_add_centred)
        yield "centred", _instead(plan, raw_add_centred_both)
        yield "halved", _instead(plan, raw_mean)
    elif name == "mul":
        yield "", _instead(plan, raw_multiply)
    elif name in JOINING:
        yield "", _instead(plan, raw_join)


def _rounded_operands(plan: Plan) -> Variants:
    if plan.op.name.removesuffix("_relu") == "add":
        yield "", _instead(plan, add_rounded)


def _fixed_add(plan: Plan) -> Variants:
    if not plan.op.name.startswith("add") or not plan.has("fixed"):
        return
    other = "fbgemm-avx2" if plan.arithmetic.engine == "qnnpack" else "qnnpack-avx2"
    yield "", replace(plan, arithmetic=arithmetics(plan.arithmetic.release)[other])


def _swapped(plan: Plan) -> Variants:
    if plan.has("a_scale", "b_scale"):
        own = {n: plan.values[n] for n in ("a_scale", "a_zp", "b_scale", "b_zp")}
        yield (
            "swapped",
            plan.having(
                a_scale=own["b_scale"], a_zp=own["b_zp"], b_scale=own["a_scale"], b_zp=own["a_zp"]
            ),
        )
        yield "first", plan.having(b_scale=own["a_scale"], b_zp=own["a_zp"])
        yield "second", plan.having(a_scale=own["b_scale"], a_zp=own["b_zp"])
    if plan.op.name.removesuffix("_relu") in JOINING:
        for name, operand in (("first", plan.call.inputs[0]), ("second", plan.call.inputs[-1])):
            if isinstance(operand, QTensor):
                yield (
                    name,
                    plan.having(x_scale=operand.qparams.scale, x_zp=operand.qparams.zero_point),
                )


def _average(how: str) -> Stage:
    @stage("average", output="z int32 [I]", formula=f"z[i] = {how}(acc[i] / div[i]) + y_zp")
    def average(acc: Array, div: Array, y_zp: Array) -> Array:
        """Divide by the number of values and round in another way than PyTorch does."""
        return sat32(ROUNDINGS[how](f64(acc) / f64(div)) + f64(y_zp))

    return average


@stage("sum", output="acc int64 [I]", formula="acc[i] = sum of window[i] − x_zp·n[i]")
def _centred(window: Array, x_zp: Array, n: Array) -> Array:
    """Add up the integers of the window and take the zero point off."""
    return np.asarray(i64(window).sum(axis=-1) - i64(x_zp) * i64(n))


def _average_edit(how: str) -> Edit:
    made = _average(how)
    return lambda _: (_centred, made, clamp_each)


def _pool_rounding(plan: Plan) -> Variants:
    if not plan.op.name.startswith(POOLS) or not plan.has("window", "div"):
        return
    for how in ROUNDINGS:
        yield how, plan.edited(_average_edit(how))


def _pool_padding(plan: Plan) -> Variants:
    if not plan.op.name.startswith("avg_pool") or not plan.has("n", "div", "size"):
        return
    n, size = np.asarray(plan.values["n"]), int(plan.values["size"])
    for name, div in {"image-only": n, "whole-window": np.full_like(n, size)}.items():
        if not np.array_equal(div, plan.values["div"]):
            yield name, plan.having(div=div)


def _position(plan: Plan) -> Variants:
    if not plan.has("block"):
        return
    block = np.asarray(plan.values["block"])
    if block.dtype == bool and block.any():
        yield "one-by-one", plan.having(block=np.zeros_like(block))
    if block.dtype == bool and not block.all():
        yield "in-vectors", plan.having(block=np.ones_like(block))


def _engine(plan: Plan) -> Variants:
    for name, arithmetic in arithmetics(plan.arithmetic.release).items():
        if name != plan.arithmetic.name:
            with suppress(NotSimulated):
                yield name, plan.under(arithmetic)


HYPOTHESES = (
    Hypothesis(
        "raw-integers",
        "operands",
        "the operands' integers are combined without dequantizing them",
        "forum 141369: a skip connection needs both scales",
        "dequantize each operand with its own parameters, then quantize the result",
        _raw,
    ),
    Hypothesis(
        "operand-parameters",
        "operands",
        "an operand is dequantized with the other one's parameters",
        "each operand has its own scale and zero point",
        "use a_scale and a_zp for the first operand, b_scale and b_zp for the second",
        _swapped,
    ),
    Hypothesis(
        "operands-rounded",
        "operands",
        "each operand is rounded to the result's scale before they are added",
        "accelerators that requantize both sides of a skip connection first",
        "add in real values, or with spare bits, and round the sum once",
        _rounded_operands,
    ),
    Hypothesis(
        "fixed-point-add",
        "engine",
        "the sum is QNNPACK's fixed-point addition on one side only",
        "pytorch#37343: 155 on qnnpack where the float rule gives 154",
        "add in integers with 22-bit multipliers on qnnpack, in float32 elsewhere",
        _fixed_add,
    ),
    Hypothesis(
        "average-rounding",
        "rounding",
        "the average is rounded in another way",
        "PyTorch multiplies by a float32 reciprocal and rounds half to even",
        "round the average half to even, around the zero point as the formula shows",
        _pool_rounding,
    ),
    Hypothesis(
        "average-padding",
        "padding",
        "the average counts the padding differently",
        "count_include_pad",
        "divide by the number of positions that count_include_pad says",
        _pool_padding,
    ),
    Hypothesis(
        "position-rule",
        "position",
        "the elements left over after whole vectors follow the other rule",
        "vector blocks of 64 and the rest round differently in PyTorch's element-wise kernels",
        "test with tensors of the real size: a one-element test takes another formula",
        _position,
    ),
    Hypothesis(
        "other-engine",
        "engine",
        "another engine or CPU level computed it",
        "fbgemm, x86, onednn and qnnpack have their own kernels, some by CPU level",
        "capture with the engine and CPU level of the other side: --engine, --cpu",
        _engine,
        weight=3,  # the sums, the bias and the multiplier at least
    ),
)
