"""The order in which inputs and weights lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import JOINING, Plan
from qdbg.core.op import laid_out
from qdbg.core.quantity import QTensor

IMAGE = 4
"""The axes of a batch of images."""
MOST_LAYOUTS = 24
"""How many ways to cut a flattened image are tried."""


def _weight_order(plan: Plan) -> Variants:
    if plan.kernel is None:
        return
    w = np.asarray(plan.values["w_q"])
    channels, size = w.shape
    if not plan.has("kernel_size"):
        yield "transposed", plan.having(w_q=w.reshape(size, channels).T)
        if channels == size:
            yield "transposed-square", plan.having(w_q=w.T)
        return
    kernel = tuple(int(n) for n in plan.values["kernel_size"])
    taps = int(np.prod(kernel))
    by_tap = w.reshape(channels, taps, -1)
    yield "flipped", plan.having(w_q=by_tap[:, ::-1].reshape(channels, -1))
    if taps > 1 and size > taps:
        yield "channel-first", plan.having(w_q=by_tap.swapaxes(1, 2).reshape(channels, -1))
        other = w.reshape(channels, -1, taps).swapaxes(1, 2)
        yield "channel-last", plan.having(w_q=other.reshape(channels, -1))
    if taps > 1:
        oihw = by_tap.swapaxes(1, 2)
        others = {
            "hwio-read-as-oihw": oihw.transpose(2, 1, 0).reshape(oihw.shape),
            "oihw-read-as-hwio": oihw.reshape(taps, -1, channels).transpose(2, 1, 0),
        }
        if channels == size // taps:
            others["inputs-for-outputs"] = oihw.swapaxes(0, 1)
        for name, moved in others.items():
            yield name, plan.having(w_q=moved.swapaxes(1, 2).reshape(channels, -1))
    if len(kernel) > 1 and kernel[-1] == kernel[-2] > 1:
        square = w.reshape(channels, *kernel, -1)
        yield "rows-for-columns", plan.having(w_q=square.swapaxes(-2, -3).reshape(channels, -1))


def _image_order(plan: Plan) -> Variants:
    image = plan.call.inputs[0]
    if not isinstance(image, QTensor) or image.q.ndim != IMAGE:
        return
    n, c, h, w = image.q.shape
    orders = {
        "channels-last-for-first": image.q.transpose(0, 2, 3, 1).reshape(image.q.shape),
        "channels-first-for-last": image.q.reshape(n, h, w, c).transpose(0, 3, 1, 2),
    }
    if h == w:
        orders["rows-for-columns"] = image.q.swapaxes(2, 3)
    for name, q in orders.items():
        moved = QTensor(np.ascontiguousarray(q), image.qparams, image.strides)
        call = replace(plan.call, inputs=(moved, *plan.call.inputs[1:]))
        yield name, replace(plan, call=call, values=laid_out(plan.op, call))


def _other_operands_first(plan: Plan) -> Variants:
    call = replace(plan.call, inputs=plan.call.inputs[::-1])
    yield "operands-reversed", replace(plan, call=call, values=laid_out(plan.op, call))


def _input_order(plan: Plan) -> Variants:
    if plan.op.name.removesuffix("_relu") in JOINING:
        yield from _other_operands_first(plan)
    if plan.kernel is None:
        return
    if plan.has("kernel_size"):
        yield from _image_order(plan)
        return
    x = np.asarray(plan.values["x_q"])
    size = x.shape[-1]
    yield "reversed", plan.having(x_q=x[..., ::-1])
    cuts = [n for n in range(2, size // 2 + 1) if size % n == 0][:MOST_LAYOUTS]
    for first in cuts:
        cut = x.reshape(*x.shape[:-1], first, size // first)
        yield f"{first}×{size // first}", plan.having(x_q=cut.swapaxes(-1, -2).reshape(x.shape))


HYPOTHESES = (
    Hypothesis(
        "weight-order",
        "layout",
        "the weights lie in another order: transposed, flipped, or another memory layout",
        "PyTorch keeps Linear as [out, in] and convolutions as [out, in / groups, kernel …]",
        "index the weights as PyTorch does; a quantized convolution does not flip its kernel",
        _weight_order,
        moves=True,
    ),
    Hypothesis(
        "input-order",
        "layout",
        "the inputs lie in another order: flattened, or read as another layout",
        "PyTorch's images are [n, channel, row, column], and flatten goes over them in this order",
        "read NCHW, or permute the weights to your order",
        _input_order,
        moves=True,
    ),
)
