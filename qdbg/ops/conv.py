"""Convolution, alone or with a fused ReLU: Linear on each window of the image."""

from __future__ import annotations

from functools import partial
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
from qdbg.core.quantity import QTensor
from qdbg.core.stage import Stage, Values
from qdbg.ops._conv_kernel import choose, vbmi_of
from qdbg.ops._kernel import rival_stages, weighted_stages
from qdbg.ops._windows import Geometry, Windows, in_rows, per_axis, windows


def geometry_of(call: Call, kernel: tuple[int, ...]) -> tuple[Geometry, int]:
    """How the window moves, and the number of groups. Raises NotSimulated."""
    held = call.layer.settings if call.layer is not None else {}
    given: dict[str, Any] = {**held, **call.node.settings}
    if not {"stride", "padding", "dilation", "groups"} <= given.keys():
        raise NotSimulated("its stride, padding, dilation and groups are not known")
    padding = given["padding"] if given.get("padding_mode", "zeros") == "zeros" else 0
    axes = len(kernel)
    numbers = (per_axis(n, axes) for n in (given["stride"], padding, given["dilation"]))
    return Geometry(kernel, *numbers), int(given["groups"])


def operands(call: Call) -> dict[str, Any]:
    """x_q [N, out …, groups, K]: the windows; w_q [C, K], both in the kernel's order of k: its
    positions in rows, and at each the channels of the group. Raises NotSimulated."""
    x, weight, bias = quantized_operand(call), layer_weight(call), layer_bias(call)
    geometry, groups = geometry_of(call, weight.q.shape[2:])
    found: dict[str, Any] = {
        "x_q": _seen(x, geometry, groups),
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        "w_q": in_rows(weight),
        "w_scale": weight.qparams.scale,
        "w_zp": weight.qparams.zero_point,
        **output_operands(call),
        **_shape_of(geometry, groups, x.q.shape),
        "vbmi": vbmi_of(call),
        "threads": call.threads,
    }
    if geometry.padded:
        seen = windows(np.ones((1, 1, *x.q.shape[2:]), np.uint8), geometry, 0)
        every = (1, x.q.shape[1], *seen.shape[2:])
        found["inside"] = Windows(np.broadcast_to(seen, every), groups)
    return found if bias is None else found | {"b": bias}


def data(call: Call, values: Values) -> dict[str, Any]:
    """x_q alone, of a call that is like the one with these operands."""
    names = ("kernel_size", "stride", "padding", "dilation")
    geometry = Geometry(*(values[name] for name in names))
    return {"x_q": _seen(quantized_operand(call), geometry, values["groups"])}


def _seen(x: QTensor, geometry: Geometry, groups: int) -> Windows:
    return Windows(windows(x.q, geometry, int(x.qparams.zero_point)), groups)


def _shape_of(geometry: Geometry, groups: int, shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "groups": groups,
        "x_channels": shape[1],
        "x_size": shape[2:],
        "transposed": False,
        "kernel_size": geometry.kernel,
        "stride": geometry.stride,
        "padding": geometry.padding,
        "dilation": geometry.dilation,
    }


def kernel(arithmetic: Arithmetic, values: Values) -> Kernel:
    """Which library, and which of its kernels."""
    return choose(arithmetic, values)


def stages(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """The stages of a plain convolution."""
    return weighted_stages(own, values, relu=False)


def stages_relu(own: Kernel, values: Values) -> tuple[Stage, ...]:
    """The stages of a convolution with a fused ReLU."""
    return weighted_stages(own, values, relu=True)


def rivals(own: Kernel, values: Values, *, relu: bool) -> tuple[tuple[Stage, ...], ...]:
    """What else oneDNN may have done."""
    return rival_stages(own, values, relu=relu)


def example(axes: int) -> tuple[Example, ...]:
    """One pixel, two channels, the pair of forum fame: 255·113 + 255·113 = 57630."""
    one = (1,) * axes
    shared: dict[str, object] = {
        "x_q": np.full((1, *one, 1, 2), 255, np.uint8),
        "x_scale": 1.0, "x_zp": 0,
        "w_q": np.array([[113, 113]], np.int8),
        "w_scale": 1.0, "w_zp": 0,
        "y_scale": 256.0, "y_zp": 0, "qmin": 0, "qmax": 255,
        "groups": 1, "x_channels": 2, "x_size": one, "kernel_size": one,
        "stride": one, "padding": (0,) * axes, "dilation": one,
        "kernel": one, "output_padding": (0,) * axes, "transposed": False,
    }  # fmt: skip
    found = {"textbook": 225, "fbgemm-vnni": 225, "fbgemm-avx2": 128, "qnnpack-avx2": 225}
    return tuple(Example(name, shared, (byte,)) for name, byte in found.items())


def _op(axes: str, relu: bool) -> Op:
    size = len(axes) - 1
    name = f"conv{size}d{'_relu' if relu else ''}"
    return Op(
        name,
        f"Conv{size}d{' + ReLU' if relu else ''}",
        operands,
        stages_relu if relu else stages,
        example(size),
        (f"quantized::{name}",),
        kernel,
        channels_last=True,
        axes=axes,
        rows=("x_q", "inside"),
        inner=2,
        data=data,
        rivals=partial(rivals, relu=relu),
    )


OPS = tuple(_op(axes, relu) for axes in ("nl", "nhw", "ndhw") for relu in (False, True))
