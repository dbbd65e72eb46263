"""Transposed convolution: each output pixel collects the inputs that reach it."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdbg.core.op import (
    Call,
    Example,
    Kernel,
    NotSimulated,
    Op,
    layer_bias,
    layer_weight,
    output_operands,
    quantized_operand,
)
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values
from qdbg.ops._conv_kernel import MANY_GROUPS, has_vbmi, vbmi_of
from qdbg.ops._kernel import BY_HAND, onednn_block, weighted_stages
from qdbg.ops._onednn_room import BLOCKS, PLAIN
from qdbg.ops._refused import check_multipliers, check_weight_zero_points
from qdbg.ops._windows import Geometry, Windows, per_axis, windows
from qdbg.ops.conv import example

FAULT = "PyTorch's result differs from its own arithmetic: "
SCRAMBLED = (
    f"{FAULT}by oneDNN transposed convolutions read the weights in another order where a group has"
    " not as many channels in as out"
)
GAPS = (
    "PyTorch's result is not reliable: oneDNN's transposed convolutions can leave pixels unwritten"
    " that no input reaches"
)
RAGGED = (
    "what oneDNN's transposed convolutions give on VNNI without VBMI is not known where a stride"
    " does not divide the output's size and the channels are no multiple of 4: on an emulated CPU"
    " some of them gave other integers than their own arithmetic"
)
EIGHT, PLANE, VOLUME, FOUR = 8, 2, 3, 4


def reached(x: Array, numbers: dict[str, tuple[int, ...]], fill: int) -> Array:
    """The pixels [N, C, out …, kernel …] that each output pixel takes: `fill` where no input
    reaches it by that position of the kernel."""
    kernel, stride, dilation = numbers["kernel"], numbers["stride"], numbers["dilation"]
    size = [(n - 1) * s + 1 for n, s in zip(x.shape[2:], stride, strict=True)]
    spread = np.full((*x.shape[:2], *size), fill, x.dtype)
    spread[(slice(None), slice(None), *(slice(None, None, s) for s in stride))] = x
    around = [(0, 0), (0, 0)]
    for axis, (k, d) in enumerate(zip(kernel, dilation, strict=True)):
        before = d * (k - 1) - numbers["padding"][axis]
        around.append((before, before + numbers["output_padding"][axis]))
    inner = tuple(
        slice(max(0, -a), n + min(0, b)) for (a, b), n in zip(around, spread.shape, strict=True)
    )
    padded = np.pad(
        spread[inner], [(max(0, a), max(0, b)) for a, b in around], constant_values=fill
    )
    once = (1,) * len(kernel)
    found = windows(padded, Geometry(kernel, once, (0,) * len(kernel), dilation), fill)
    return np.flip(found, tuple(range(-len(kernel), 0)))


def has_gaps(shape: tuple[int, ...], numbers: dict[str, tuple[int, ...]]) -> bool:
    """Whether some pixel of the result takes none of the input's."""
    names = ("kernel", "stride", "padding", "dilation", "output_padding")
    for size, k, s, p, d, extra in zip(shape, *(numbers[n] for n in names), strict=True):
        taken = {n * s + t * d - p for n in range(size) for t in range(k)}
        if not taken.issuperset(range((size - 1) * s + d * (k - 1) + 1 + extra - 2 * p)):
            return True
    return False


def operands(call: Call) -> dict[str, Any]:
    """x_q [N, out …, groups, K] and w_q [C, K], k over the kernel's positions in rows and at each
    over the channels of the group. Raises NotSimulated."""
    x, weight, bias = quantized_operand(call), layer_weight(call), layer_bias(call)
    held = call.layer.settings if call.layer is not None else {}
    given: dict[str, Any] = {**held, **call.node.settings}
    names = ("stride", "padding", "dilation", "output_padding")
    if not {*names, "groups"} <= given.keys():
        raise NotSimulated("its stride, padding, dilation and groups are not known")
    kernel, groups = weight.q.shape[2:], int(given["groups"])
    numbers = {name: per_axis(given[name], len(kernel)) for name in names} | {"kernel": kernel}
    seen = reached(np.ones((1, 1, *x.q.shape[2:]), np.uint8), numbers, 0)
    inputs, outputs = weight.q.shape[:2]
    by_group = weight.q.reshape(groups, inputs // groups, outputs, *kernel)
    found = {
        "x_q": Windows(reached(x.q, numbers, int(x.qparams.zero_point)), groups),
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "inside": Windows(np.broadcast_to(seen, (1, inputs, *seen.shape[2:])), groups),
        "w_q": np.moveaxis(by_group, 1, -1).reshape(groups * outputs, -1),
        "w_scale": weight.qparams.scale,
        "w_zp": weight.qparams.zero_point,
        **output_operands(call),
        **{name: np.array(value) for name, value in numbers.items()},
        "kernel_size": np.array(kernel),
        "groups": np.array(groups),
        "x_channels": np.array(inputs),
        "x_size": np.array(x.q.shape[2:]),
        "transposed": np.array(True),
        "vbmi": vbmi_of(call),
        "gaps": np.array(has_gaps(x.q.shape[2:], numbers)),
    }
    return found if bias is None else found | {"b": bias}


def kernel(arithmetic: Arithmetic, values: Values) -> Kernel:
    """Which library. Raises NotSimulated for the kernels whose results are known to be wrong."""
    exact = arithmetic.level == "vnni"
    match arithmetic.engine:
        case "qnnpack":
            if len(values["kernel"]) == VOLUME:
                raise NotSimulated(
                    f"{FAULT}QNNPACK's transposed 3-d convolutions come out wrong and damage its"
                    " memory"
                )
            check_multipliers(values)
            why = "the qnnpack engine computes with QNNPACK, the same on every CPU"
            return Kernel("QNNPACK", "exact", 0, "qnnpack-window", why)
        case "textbook":
            return BY_HAND
        case "onednn":
            return _onednn(arithmetic.level, values, "the onednn engine computes with oneDNN")
        case "x86" if exact and _to_onednn(values):
            return _onednn("vnni", values, "the x86 engine takes oneDNN on a CPU with VNNI")
        case _:
            return _fbgemm(values, exact, f"the {arithmetic.engine} engine computes with FBGEMM")


def _to_onednn(values: Values) -> bool:
    few = int(values["groups"]) <= MANY_GROUPS
    return bool(few and not np.any(values["w_zp"]) and not np.any(values["output_padding"]))


def _onednn(level: str, values: Values, why: str) -> Kernel:
    """Its own kernels compute as those of convolutions; what they do not take goes to plain loops
    over its GEMM, which divide."""
    if level == "avx512":
        raise NotSimulated(
            "how oneDNN computes transposed convolutions on AVX-512 without VNNI is not known"
        )
    check_weight_zero_points(values)
    groups = int(values["groups"])
    inner, outer = int(values["x_channels"]) // groups, values["w_q"].shape[0] // groups
    if inner != outer and 1 not in {inner, outer}:
        raise NotSimulated(SCRAMBLED)
    ways = _ways(values, inner, outer) if level == "vnni" else (_way_avx2(values, inner, outer),)
    if ways != (PLAIN,) and np.any(values.get("gaps", False)):
        raise NotSimulated(GAPS)
    if level == "vnni" and not has_vbmi(values) and _ragged(values, inner):
        raise NotSimulated(RAGGED)
    if level == "vnni":
        return Kernel("oneDNN", "exact", 0, ways[0], why, doubt=ways[1:])
    return _onednn_avx2(ways[0], inner, why)


def _ragged(values: Values, inner: int) -> bool:
    """Whether the layer is one of those that differed on an emulated CPU with VNNI and without
    VBMI, in processes that had run many layers before. On a real one with both none does."""
    out, stride = np.array(values["x_q"].shape[1:-2]), np.asarray(values["stride"])
    return int(values["groups"]) == 1 and inner % FOUR != 0 and bool(np.any(out % stride))


def _onednn_avx2(way: str, inner: int, why: str) -> Kernel:
    """Pairs start anew at each position of the kernel, and positions that no input reaches are left
    out. Raises NotSimulated where the GEMM splits the channels of a pixel in odd halves."""
    if way == PLAIN:
        why += ", by its plain loops"
    if inner == 1:
        return Kernel("oneDNN", "exact", 0, way, f"{why}, with one product at a time")
    if way == PLAIN and onednn_block(inner) % 2:
        raise NotSimulated(
            f"oneDNN's GEMM pairs the {inner} channels of a pixel anew from an odd one on, which is"
            " not simulated"
        )
    return Kernel("oneDNN", "pairs", inner, way, why, skips_padding=True)


def _way_avx2(values: Values, inner: int, outer: int) -> str:
    """Which of oneDNN's ways back it takes: measured by what it says that it ran."""
    spread, dilated = (np.asarray(values[name]) > 1 for name in ("stride", "dilation"))
    if np.any(spread & dilated):
        return PLAIN
    plane = inner == outer == 1 and len(spread) < VOLUME
    fours = inner % FOUR == 0 and outer % FOUR == 0
    return "onednn-conv-avx2" if int(values["groups"]) == 1 or plane or fours else PLAIN


def _ways(values: Values, inner: int, outer: int) -> tuple[str, ...]:
    """Which of oneDNN's ways back it may have taken: measured by what it says that it ran."""
    kernel, stride, dilation = (np.asarray(values[n]) for n in ("kernel", "stride", "dilation"))
    if np.any((stride > 1) & (dilation > 1)):
        return (PLAIN,)
    out = np.array(values["x_q"].shape[1:-2])
    depthwise = inner == outer == 1
    fours = inner % FOUR == 0 and outer % FOUR == 0
    if int(values["groups"]) == 1 or (len(kernel) < VOLUME if depthwise else fours):
        return (BLOCKS,)
    if np.any(stride > 1):
        whole = np.all(out % stride == 0) and np.all(dilation == 1)
        return (BLOCKS,) if whole else (PLAIN,)
    if depthwise:
        return (PLAIN,)
    narrow = kernel[-1] == out[-1] == 1 and (len(out) < VOLUME or out[0] == 1)
    return (BLOCKS, PLAIN) if narrow else (BLOCKS,)


def _fbgemm(values: Values, exact: bool, why: str) -> Kernel:
    eights = int(values["x_channels"]) % EIGHT == 0 and values["w_q"].shape[0] % EIGHT == 0
    flat = len(values["kernel"]) == PLANE and int(values["kernel"][0]) == PLANE
    if eights and flat and not np.any(values["padding"]):
        raise NotSimulated(
            f"{FAULT}FBGEMM's transposed convolutions of kernel height 2 with multiples of 8"
            " channels change from call to call"
        )
    return Kernel("FBGEMM", "exact" if exact else "pairs", 0, "fbgemm", why)


def stages(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """As a convolution's."""
    return weighted_stages(own, values, relu=False)


def stages_relu(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """As a convolution's with a fused ReLU."""
    return weighted_stages(own, values, relu=True)


EXAMPLES: dict[int, tuple[Example, ...]] = {
    axes: tuple(e for e in example(axes) if e.arithmetic != "qnnpack-avx2") for axes in (1, 2, 3)
}


def _op(axes: str, relu: bool) -> Op:
    size = len(axes) - 1
    name = f"conv_transpose{size}d{'_relu' if relu else ''}"
    title = f"ConvTranspose{size}d{' + ReLU' if relu else ''}"
    work = stages_relu if relu else stages
    return Op(
        name,
        title,
        operands,
        work,
        EXAMPLES[size],
        (f"quantized::{name}",),
        kernel,
        channels_last=True,
        axes=axes,
        rows=("x_q", "inside"),
        inner=2,
    )


OPS = tuple(_op(axes, relu) for axes in ("nl", "nhw", "ndhw") for relu in (False, True))
