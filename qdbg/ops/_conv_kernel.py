"""Which library and kernel compute a convolution, and how its sums of products are made."""

from __future__ import annotations

import numpy as np

from qdbg.core.op import Call, Kernel, NotSimulated
from qdbg.core.presets import Arithmetic
from qdbg.core.program import VBMI
from qdbg.core.quantity import Array
from qdbg.core.stage import Values
from qdbg.ops import _onednn_room
from qdbg.ops._kernel import BY_HAND
from qdbg.ops._onednn_layer import Layer
from qdbg.ops._products import never_cut
from qdbg.ops._refused import check_multipliers, check_weight_zero_points

VOLUME = 3
UNKNOWN = -1
"""In `vbmi`: it was not recorded whether the processor has these instructions."""
MANY_GROUPS = 100
"""From more groups on, the x86 engine gives a convolution to FBGEMM."""


def choose(arithmetic: Arithmetic, values: Values) -> Kernel:
    """Raises NotSimulated for kernels whose arithmetic is not known."""
    match arithmetic.engine:
        case "qnnpack":
            return _qnnpack(values)
        case "fbgemm":
            return _fbgemm(arithmetic, values, "the fbgemm engine computes with FBGEMM")
        case "onednn":
            return _onednn(arithmetic, values, "the onednn engine computes with oneDNN")
        case "x86":
            return _x86(arithmetic, values)
        case _:
            return BY_HAND


def _qnnpack(values: Values) -> Kernel:
    check_multipliers(values)
    why = "the qnnpack engine computes with QNNPACK, the same on every CPU"
    groups = int(values["groups"])
    depthwise = groups > 1 and groups == values["x_channels"] == len(values["w_q"])
    size = np.asarray(values["kernel_size"])
    if depthwise and size.size == VOLUME and np.all(size == 3):  # noqa: PLR2004 - its only size
        return Kernel("QNNPACK", "exact", 0, "qnnpack-once", f"{why}, by its depthwise kernel")
    if (
        np.all(size == 1)
        and np.all(np.asarray(values["stride"]) == 1)
        and not np.any(values["padding"])
    ):
        return Kernel("QNNPACK", "exact", 0, "qnnpack", f"{why}, as the Linear that it is")
    return Kernel("QNNPACK", "exact", 0, "qnnpack-window", why)


def _x86(arithmetic: Arithmetic, values: Values) -> Kernel:
    if arithmetic.level != "vnni":
        return _fbgemm(arithmetic, values, "the x86 engine takes FBGEMM on a CPU without VNNI")
    if np.any(values["w_zp"]):
        return _fbgemm(arithmetic, values, "the x86 engine takes FBGEMM for weight zero points")
    if values["groups"] > MANY_GROUPS:
        why = f"the x86 engine takes FBGEMM for more than {MANY_GROUPS} groups"
        return _fbgemm(arithmetic, values, why)
    return _onednn(arithmetic, values, "the x86 engine takes oneDNN on a CPU with VNNI")


def _fbgemm(arithmetic: Arithmetic, values: Values, why: str) -> Kernel:
    if overruns(arithmetic.level, values):
        raise NotSimulated(OVERRUN)
    if too_small(values):
        raise NotSimulated(TOO_SMALL)
    if fast_depthwise(values):
        why += ", whose depthwise kernel adds in saturating pairs on every CPU"
        return Kernel("FBGEMM", "pairs", 0, "fbgemm", why)
    exact = arithmetic.level == "vnni"
    return Kernel("FBGEMM", "exact" if exact else "pairs", 0, "fbgemm", why)


OVERRUN = (
    "PyTorch's result is wrong and its memory may be damaged: FBGEMM's kernel for groups of 2 or 4"
    " channels writes beyond its buffers where the groups do not fill its vectors"
)
TOO_SMALL = (
    "PyTorch's memory may be damaged: FBGEMM's kernel for depthwise 3-d convolutions goes beyond"
    " images smaller than a kernel of 5 or 7"
)
LANES = {"avx2": 8, "avx512": 16, "vnni": 16}
"""How many int32 numbers a vector has."""


def overruns(level: str, values: Values) -> bool:
    """Whether FBGEMM takes its kernel for small groups where it does not fit: measured on every
    level, with results that are wrong and processes that die."""
    groups, outputs = int(values["groups"]), values["w_q"].shape[0]
    channels = int(values["x_channels"]) // groups
    size = np.asarray(values["kernel_size"])
    takes = (
        size.size > 1
        and channels in {2, 4}
        and outputs == groups * channels
        and np.all(size == 3)  # noqa: PLR2004 - the only size that the kernel has
        and np.all(np.isin(np.asarray(values["stride"])[-2:], (1, 2)))
        and np.all(np.asarray(values["padding"]) == 1)
        and np.all(np.asarray(values["dilation"]) == 1)
    )
    together = LANES[level] // channels if takes else 1
    return bool(takes and groups > together and groups % together)


def too_small(values: Values) -> bool:
    """Whether FBGEMM takes its kernel for depthwise 3-d convolutions where the image is too small
    for it: measured, half of such processes die."""
    size = np.asarray(values["kernel_size"])
    small = (np.asarray(values["x_size"]) < size) & (size > 3)  # noqa: PLR2004 - 3 fits
    return bool(size.size == VOLUME and np.any(small) and fast_depthwise(values))


def fast_depthwise(values: Values) -> bool:
    """Whether FBGEMM takes its kernel for depthwise convolutions."""
    groups, outputs = int(values["groups"]), values["w_q"].shape[0]
    size, stride, dilation, padding = (
        tuple(np.asarray(values[name]).tolist())
        for name in ("kernel_size", "stride", "dilation", "padding")
    )
    return bool(
        len(size) > 1
        and groups == values["x_channels"]
        and outputs in {groups, 2 * groups}
        and groups % 8 == 0
        and size[-1] == size[-2]
        and set(size) <= {3, 5, 7}
        and set(stride) <= {1, 2}
        and set(dilation) == {1}
        and padding == tuple((n - 1) // 2 for n in size)
    )


def _onednn(arithmetic: Arithmetic, values: Values, why: str) -> Kernel:
    check_weight_zero_points(values)
    layer = Layer.of(values)
    if arithmetic.level != "avx2":
        _refuse_faults(arithmetic, layer, values)
    if arithmetic.level == "vnni":
        return _onednn_vnni(arithmetic, layer, values, why)
    if arithmetic.level == "avx512":
        return _onednn_avx512(layer, values, why)
    return _onednn_avx2(layer, values, why)


def _refuse_faults(arithmetic: Arithmetic, layer: Layer, values: Values) -> None:
    """Raise NotSimulated where oneDNN's kernels for AVX-512 are known to be wrong."""
    if _beside_the_image(values):
        raise NotSimulated(
            "PyTorch's result is not reliable: oneDNN leaves undefined what a window gives that"
            " lies in the padding alone"
        )
    reason = _onednn_room.fault(layer, has_vbmi(values), arithmetic.onednn)
    if reason:
        raise NotSimulated(reason)


def _beside_the_image(values: Values) -> bool:
    """Whether a window lies in the padding alone: along one axis none of its pixels is inside."""
    names = ("x_size", "kernel_size", "stride", "padding", "dilation")
    axes = (np.asarray(values[name]).tolist() for name in names)
    for out, size, taps, stride, padding, dilation in zip(
        values["x_q"].shape[1:-2], *axes, strict=True
    ):
        at = np.arange(out)[:, None] * stride - padding + dilation * np.arange(taps)
        if not np.all(((at >= 0) & (at < size)).any(axis=1)):
            return True
    return False


def vbmi_of(call: Call) -> Array:
    """Whether the processor that ran the call has VBMI, or UNKNOWN."""
    vbmi = call.setting(VBMI)
    return np.array(int(vbmi) if isinstance(vbmi, bool) else UNKNOWN)


def has_vbmi(values: Values) -> bool | None:
    """Whether the processor has VBMI; None where that was not recorded."""
    return {0: False, 1: True}.get(int(values.get("vbmi", UNKNOWN)))


def _onednn_vnni(arithmetic: Arithmetic, layer: Layer, values: Values, why: str) -> Kernel:
    """All kernels but two multiply the scales in turn: the one over GEMM multiplies them first, and
    plain loops divide. It comes to them in layers of groups that no other kernel takes."""
    volume = layer.depthwise and layer.axes == VOLUME and layer.dilated
    if volume or (layer.groups > 1 and not layer.depthwise and not layer.by_fours):
        threads, version = int(values.get("threads", 1)), arithmetic.onednn
        first, *others = _onednn_room.kernels(layer, has_vbmi(values), threads, version)
        why += BY[first]
        return Kernel("oneDNN", "exact", 0, first, why, doubt=tuple(others))
    return Kernel("oneDNN", "exact", 0, "onednn-conv", why)


BY = {
    _onednn_room.BLOCKS: "",
    _onednn_room.GEMM: ", by its GEMM",
    _onednn_room.PLAIN: ", by its plain loops",
}


def _onednn_avx512(layer: Layer, values: Values, why: str) -> Kernel:
    if layer.depthwise and layer.axes < VOLUME:
        why += ", with one product at a time"
        return Kernel("oneDNN", "exact", 0, "onednn-conv", why)
    if layer.depthwise and layer.shifted:
        size = values["w_q"].shape[-1]
        return Kernel("oneDNN", "pairs", size, "onednn-conv-gemm", why, _skips_padding(values))
    if layer.inputs == 1 or layer.may_be_gemm:
        return _undecided(layer, values, why)
    padded = _skips_padding(values)
    return Kernel("oneDNN", "pairs", layer.inputs, "onednn-conv", why, padded)


def _undecided(layer: Layer, values: Values, why: str) -> Kernel:
    """Of few channels' products oneDNN pairs none, those of a row or all, as it finds profitable:
    nothing depends on it where no two of them leave int16. Raises NotSimulated where they do."""
    if not never_cut(np.asarray(values["x_q"]), values["w_q"]):
        raise NotSimulated(
            "how oneDNN pairs the products of so few channels here is not known, and pairs can be"
            " cut off"
        )
    ways = ("onednn-conv", "onednn-conv-gemm", *(() if layer.shifted else ("onednn-conv-plain",)))
    first, *others = ways[::-1] if layer.depthwise else ways
    return Kernel("oneDNN", "exact", 0, first, why, doubt=tuple(others))


def _onednn_avx2(layer: Layer, values: Values, why: str) -> Kernel:
    if layer.groups > 1 and (layer.by_fours or (layer.depthwise and layer.axes < VOLUME)):
        if layer.depthwise:
            why += ", with one product at a time"
            return Kernel("oneDNN", "exact", 0, "onednn-conv-avx2", why)
    elif layer.groups > 1:
        return Kernel("oneDNN", "exact", 0, "onednn-conv-plain", f"{why}, by its plain loops")
    padded = _skips_padding(values)
    return Kernel("oneDNN", "pairs", layer.inputs, "onednn-conv-avx2", why, padded)


def _skips_padding(values: Values) -> bool:
    """Whether it matters that oneDNN leaves the padding out: bytes of 0 add nothing anyway."""
    return "inside" in values and bool(values["x_zp"])
