"""What lies around an image, and how much of it on which side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Plan
from qdbg.core.quantity import Array, QTensor
from qdbg.ops._windows import Geometry, Windows, windows

Fill: TypeAlias = Callable[[Array, tuple[tuple[int, int], ...]], Array]
"""The image with so many pixels before and behind each axis."""


def _padding(plan: Plan) -> Variants:
    if plan.op.name.startswith("avg_pool") and plan.has("n", "size", "x_zp"):
        n, size = np.asarray(plan.values["n"]), plan.values["size"]
        if np.any(plan.values["x_zp"]) and np.any(n < size):
            yield "", plan.having(n=np.full_like(n, size))  # its windows hold 0 there
    zp = np.asarray(plan.values.get("x_zp", 0))
    if plan.kernel is None or not plan.has("inside") or not np.any(zp):
        return
    x, inside = np.asarray(plan.values["x_q"]), np.asarray(plan.values["inside"])
    yield "", plan.having(x_q=np.where(inside == 0, 0, x).astype(x.dtype))


def _is_convolution(plan: Plan) -> bool:
    return plan.op.name.startswith("conv") and not plan.op.name.startswith("conv_transpose")


def _sides(plan: Plan) -> tuple[Array, Array]:
    """How many pixels of padding all windows together need along each axis, and how many of them
    PyTorch puts before the image."""
    own = {n: np.asarray(plan.values[n]) for n in ("kernel_size", "stride", "dilation", "x_size")}
    axes = own["x_size"].size
    out = np.array(np.asarray(plan.whole["x_q"]).shape[1 : 1 + axes])
    extent = own["dilation"] * (own["kernel_size"] - 1) + 1
    needed = np.maximum((out - 1) * own["stride"] + extent - own["x_size"], 0)
    return needed, np.broadcast_to(np.asarray(plan.values["padding"]), needed.shape)


def _around(plan: Plan, before: Array, fill: Fill) -> Plan:
    """The windows of the image with so many pixels before it, and behind it what they need."""
    image = plan.call.inputs[0]
    assert isinstance(image, QTensor)  # noqa: S101 - for the type checker: it was simulated
    needed, _ = _sides(plan)
    sides = tuple((int(a), int(max(n - a, 0))) for a, n in zip(before, needed, strict=True))
    found = plan.having(x_q=_windows(plan, fill(image.q, ((0, 0), (0, 0), *sides))))
    if not plan.has("inside"):
        return found
    ones = np.ones((1, *image.q.shape[1:]), np.uint8)
    return found.having(inside=_windows(plan, np.pad(ones, ((0, 0), (0, 0), *sides))))


def _windows(plan: Plan, image: Array) -> Array:
    kernel, stride, dilation = (
        tuple(int(n) for n in np.asarray(plan.values[name]))
        for name in ("kernel_size", "stride", "dilation")
    )
    views = windows(image, Geometry(kernel, stride, (0,) * len(kernel), dilation), 0)
    out = np.asarray(plan.whole["x_q"]).shape[1 : 1 + len(kernel)]
    kept = views[(slice(None), slice(None), *(slice(n) for n in out))]
    return np.asarray(Windows(kept, int(plan.values["groups"])))


def _zero_points(plan: Plan) -> Fill:
    zp = int(plan.values["x_zp"])
    return lambda image, sides: np.pad(image, sides, constant_values=zp)


def _place(plan: Plan) -> Variants:
    if not _is_convolution(plan):
        return
    needed, own = _sides(plan)
    for name, before in {"more-behind": needed // 2, "more-before": needed - needed // 2}.items():
        if np.any(before != own):
            yield name, _around(plan, before, _zero_points(plan))


MODES: dict[str, Fill] = {
    "border-repeated": lambda image, sides: np.pad(image, sides, mode="edge"),
    "reflected": lambda image, sides: np.pad(image, sides, mode="reflect"),
}
"""What the padding of other frameworks, and of other layers, can hold."""


def _values(plan: Plan) -> Variants:
    if not _is_convolution(plan):
        return
    _, own = _sides(plan)
    small = np.any(own >= np.asarray(plan.values["x_size"]))
    for name, fill in MODES.items():
        if np.any(own) and not small:
            yield name, _around(plan, own, fill)


HYPOTHESES = (
    Hypothesis(
        "zero-padding",
        "padding",
        "the padding holds the byte 0 and not the zero point",
        "pytorch#53807: the real value 0 is the byte x_zp",
        "pad the integers with x_zp, or centre them first and pad with 0",
        _padding,
    ),
    Hypothesis(
        "padding-place",
        "padding",
        "the padding lies on other sides of the image",
        "TensorFlow's SAME puts less before the image than behind it at stride 2: pytorch#3867",
        "put `padding` pixels on every side, or pad in front of the layer in both models",
        _place,
        moves=True,
    ),
    Hypothesis(
        "padding-values",
        "padding",
        "the padding repeats or reflects the image's border",
        "padding_mode: zeros, replicate, reflect",
        "fill the padding with x_zp, the real value 0",
        _values,
        moves=True,
    ),
)
