"""How the products of one output are added up."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Edit, Plan, Stages, after, in_place_of
from qdbg.core.arithmetic import (
    INT16,
    cut_sides,
    i32,
    sat16,
    wrap32,
)
from qdbg.core.op import Kernel, NotSimulated
from qdbg.core.pairs import pair_members, saturating_pair_sums
from qdbg.core.quantity import Array
from qdbg.core.roundings import wrap
from qdbg.core.stage import Stage, stage
from qdbg.core.sums import exact_sums
from qdbg.core.versions import arithmetics

PAIRING = ("fbgemm-avx2", "onednn-avx512", "onednn-avx2")
"""Arithmetics whose kernels add in saturating pairs, each in its own layout."""


def _exact(kernel: Kernel) -> dict[str, object]:
    del kernel
    return {"accumulator": "exact", "block": 0, "skips_padding": False}


def _pairs(kernel: Kernel) -> dict[str, object]:
    fields = ("accumulator", "block", "skips_padding")
    return {name: getattr(kernel, name) for name in fields}


def _kernels(plan: Plan) -> Iterable[tuple[str, Kernel]]:
    for name in PAIRING:
        try:
            kernel = plan.kernel_of(arithmetics(plan.arithmetic.release)[name])
        except NotSimulated:
            continue
        if kernel.accumulator == "pairs":
            yield name, kernel


def _saturation(plan: Plan) -> Variants:
    if plan.kernel is None:
        return
    if plan.kernel.accumulator == "pairs":
        yield "", plan.with_kernel(**_exact(plan.kernel))
        return
    for name, kernel in _kernels(plan):
        yield name, plan.with_kernel(**_pairs(kernel))


def _layout(plan: Plan) -> Variants:
    if plan.kernel is None or plan.kernel.accumulator != "pairs":
        return
    own = _pairs(plan.kernel)
    for name, kernel in _kernels(plan):
        if _pairs(kernel) != own:
            yield name, plan.with_kernel(**_pairs(kernel))
    size = int(plan.values["w_q"].shape[-1])
    for name, order in _orders(plan, size).items():
        if not np.array_equal(order, np.arange(size)):
            yield name, _in_order(plan, order)
    if _centred_pairs_can_saturate(plan):
        yield "centred", plan.with_kernel(**_exact(plan.kernel)).edited(_of_centred)


def _centred_pairs_can_saturate(plan: Plan) -> bool:
    """Whether some bytes make a pair of centred inputs leave int16 by more than 1. With the zero
    point 128 none do, and such sums are exact, but for two bytes of 0 and two weights of −128,
    which no result shows."""
    low, high = -i32(plan.values["x_zp"]), 255 - i32(plan.values["x_zp"])
    w = i32(plan.whole["w_q"])
    first, second, both = pair_members(w.shape[-1], 0)
    ends = np.stack([w * low, w * high])
    up, down = ends.max(axis=0), ends.min(axis=0)
    above = up[:, first] + np.where(both, up[:, second], 0)
    below = down[:, first] + np.where(both, down[:, second], 0)
    return bool(np.any(above > INT16[1] + 1) or np.any(below < INT16[0] - 1))


def _orders(plan: Plan, size: int) -> dict[str, Array]:
    places = np.arange(size)
    found = {
        "halves": places.reshape(2, -1).T.ravel() if size % 2 == 0 else places,
        "shifted": np.roll(places, -1),
        "reversed": places[::-1],
    }
    if plan.has("kernel_size"):
        taps = int(np.prod(plan.values["kernel_size"]))
        found["channel-by-channel"] = places.reshape(taps, -1).T.ravel()
    return found


def _in_order(plan: Plan, order: Array) -> Plan:
    moved = {n: plan.values[n][..., order] for n in ("x_q", "w_q", "inside") if n in plan.values}
    return plan.having(**moved)


@stage(
    "mac",
    output="acc int32 [C]",
    formula="acc[c] = Σᵢ sat16(x_c[2i]·w_q[c,2i] + x_c[2i+1]·w_q[c,2i+1])",
)
def mac_of_centred(x_c: Array, w_q: Array) -> Array:
    """Saturate the pairs of centred inputs: a kernel saturates those of the raw bytes."""
    return wrap32(saturating_pair_sums(x_c, w_q, 0))


def _of_centred(stages: Stages) -> Stages:
    return in_place_of(stages, "mac", mac_of_centred)


def _cut_word(x_q: Array, w_q: Array) -> Array:
    sums = exact_sums(x_q, w_q)
    return cut_sides(sums > 2**15 - 1, sums < -(2**15))


@stage("mac", output="dot int32 [C]", formula="dot[c] = wrap16(Σₖ x_q[k]·w_q[c,k])")
def mac_int16(x_q: Array, w_q: Array) -> Array:
    """Add the products of raw bytes up in int16, which wraps: what `uint8 @ int8` does in numpy."""
    return i32(wrap(exact_sums(x_q, w_q), 16))


@stage("mac", output="dot int32 [C]", formula="dot[c] = wrap8(Σₖ x_q[k]·w_q[c,k])")
def mac_int8(x_q: Array, w_q: Array) -> Array:
    """Add the products up in int8, which wraps: what `int8 @ int8` does in numpy."""
    return i32(wrap(exact_sums(x_q, w_q), 8))


@stage(
    "mac",
    output="dot int32 [C]",
    formula="dot[c] = sat16(Σₖ x_q[k]·w_q[c,k])",
    saturates=_cut_word,
    unsaturated=exact_sums,
)
def mac_sat16(x_q: Array, w_q: Array) -> Array:
    """Add the products of raw bytes up and saturate the whole sum to int16."""
    return i32(sat16(exact_sums(x_q, w_q)))


@stage("overflow", output="acc int32 [C]", formula="acc[c] = wrap16(acc_0[c])")
def wrapped_int16(acc_0: Array) -> Array:
    """The accumulator is an int16 register, which wraps."""
    return i32(wrap(acc_0, 16))


@stage("overflow", output="acc int32 [C]", formula="acc[c] = wrap8(acc_0[c])")
def wrapped_int8(acc_0: Array) -> Array:
    """The accumulator is an int8 register, which wraps."""
    return i32(wrap(acc_0, 8))


@stage("overflow", output="acc int32 [C]", formula="acc[c] = sat16(acc_0[c])")
def saturated_int16(acc_0: Array) -> Array:
    """The accumulator is an int16 register, which saturates."""
    return i32(sat16(acc_0))


NARROW = (
    ("int16", wrapped_int16, mac_int16),
    ("int8", wrapped_int8, mac_int8),
    ("int16-saturating", saturated_int16, mac_sat16),
)
"""Each narrow accumulator: of centred inputs, and of raw bytes."""


def _narrow(plan: Plan) -> Variants:
    if plan.kernel is None:
        return
    raw = plan.with_kernel(accumulator="pairs", block=0, skips_padding=False)
    exact = plan.with_kernel(**_exact(plan.kernel))
    for width, of_centred, of_raw in NARROW:
        yield width, exact.edited(_then(of_centred))
        yield f"{width}-of-raw-bytes", raw.edited(_instead(of_raw))


def _then(narrowed: Stage) -> Edit:
    return lambda stages: after(stages, "acc", narrowed)


def _instead(mac: Stage) -> Edit:
    return lambda stages: in_place_of(stages, "mac", mac)


HYPOTHESES = (
    Hypothesis(
        "pair-saturation",
        "accumulator",
        "each pair of uint8·int8 products saturates in int16",
        "x86's vpmaddubsw, below VNNI; pytorch#44939, #76390",
        "in a golden model: clip x[2i]·w[2i] + x[2i+1]·w[2i+1] to −32768 … 32767 before adding; in"
        " PyTorch: reduce_range=True, the qnnpack engine, or a CPU with VNNI",
        _saturation,
    ),
    Hypothesis(
        "pair-layout",
        "accumulator",
        "the saturating pairs are other products than the kernel's",
        "FBGEMM pairs along kernel position and channel, oneDNN anew at each position or block",
        "pair the products in the kernel's own order of k, which the drill-down shows",
        _layout,
    ),
    Hypothesis(
        "narrow-accumulator",
        "accumulator",
        "the sum is kept in fewer than 32 bits",
        "numpy's `uint8 @ int8` is int16 and wraps: forum 197716",
        "widen both operands to int32 before multiplying",
        _narrow,
    ),
)
