"""Which library and kernel compute a convolution, and how its sums of products are made."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import Arithmetic
from qdbg.core.op import Kernel, NotSimulated
from qdbg.core.stage import Values
from qdbg.ops._kernel import BY_HAND

MANY_GROUPS = 100
"""From more groups on, the x86 engine gives a convolution to FBGEMM."""


def choose(arithmetic: Arithmetic, values: Values) -> Kernel:
    """Raises NotSimulated for kernels whose arithmetic is not known."""
    match arithmetic.engine:
        case "qnnpack":
            why = "the qnnpack engine computes with QNNPACK, the same on every CPU"
            return Kernel("QNNPACK", "exact", 0, "qnnpack", why)
        case "fbgemm":
            return _fbgemm(arithmetic, values, "the fbgemm engine computes with FBGEMM")
        case "onednn":
            return _onednn(arithmetic, values, "the onednn engine computes with oneDNN")
        case "x86":
            return _x86(arithmetic, values)
        case _:
            return BY_HAND


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
    if fast_depthwise(values):
        why += ", whose depthwise kernel adds in saturating pairs on every CPU"
        return Kernel("FBGEMM", "pairs", 0, "fbgemm", why)
    exact = arithmetic.level == "vnni"
    return Kernel("FBGEMM", "exact" if exact else "pairs", 0, "fbgemm", why)


def fast_depthwise(values: Values) -> bool:
    """Whether FBGEMM takes its kernel for depthwise convolutions."""
    groups, size = int(values["groups"]), np.asarray(values["kernel_size"])
    outputs = values["w_q"].shape[0]
    return bool(
        size.size > 1
        and groups == values["x_channels"]
        and outputs in {groups, 2 * groups}
        and groups % 8 == 0
        and size[-1] == size[-2]
        and np.all(np.isin(size, (3, 5, 7)))
        and np.all(np.isin(values["stride"], (1, 2)))
        and np.all(np.asarray(values["dilation"]) == 1)
        and np.all(np.asarray(values["padding"]) == (size - 1) // 2)
    )


def _onednn(arithmetic: Arithmetic, values: Values, why: str) -> Kernel:
    if np.any(values["w_zp"]):
        raise NotSimulated("oneDNN takes no weight zero points")
    way_back = "onednn-conv-avx2" if arithmetic.level == "avx2" else "onednn-conv"
    if arithmetic.level == "vnni":
        return Kernel("oneDNN", "exact", 0, way_back, why)
    groups = int(values["groups"])
    channels = int(values["x_channels"]) // groups
    depthwise = channels == 1 and values["w_q"].shape[0] == groups
    if depthwise:
        return Kernel("oneDNN", "exact", 0, way_back, f"{why}, with one product at a time")
    if groups > 1 and arithmetic.level == "avx2" and channels % 4:
        why += f", whose groups of {channels} channels are added exactly"
        return Kernel("oneDNN", "exact", 0, way_back, why)
    if groups > 1 and channels == 1:
        raise NotSimulated("how oneDNN pairs groups of one channel here is not known")
    skips = "inside" in values
    return Kernel("oneDNN", "pairs", channels, way_back, why, skips)
