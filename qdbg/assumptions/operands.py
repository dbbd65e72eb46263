"""What goes into a call: bytes, zero points, scales, and the order in which they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from qdbg.assumptions.hypothesis import Hypothesis, Variants
from qdbg.assumptions.plan import Edit, Plan, after
from qdbg.core.arithmetic import at_least, i32, i64
from qdbg.core.op import laid_out
from qdbg.core.quantity import Array, QTensor
from qdbg.core.stage import Stage

BYTES = 256
SIGN = 128
IMAGE = 4
"""The axes of a batch of images."""
MOST_LAYOUTS = 24
"""How many ways to cut a flattened image are tried."""


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


def _zero_point_of(*names: str) -> Callable[[Plan], Variants]:
    def change(plan: Plan) -> Variants:
        held = [n for n in names if plan.has(n) and np.any(plan.values[n])]
        if held:
            yield "", plan.having(**{n: np.zeros_like(plan.values[n]) for n in held})

    return change


def _result_zero_point(plan: Plan) -> Variants:
    if plan.has("y_zp") and np.any(plan.values["y_zp"]):
        yield "", plan.having(y_zp=np.zeros_like(plan.values["y_zp"]))
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


def _scales(plan: Plan) -> Variants:
    if plan.kernel is None:
        return
    scale = np.asarray(plan.values["w_scale"])
    if scale.ndim and scale.size > 1:
        for name, one in {"first": scale[0], "largest": scale.max(), "mean": scale.mean()}.items():
            yield name, plan.having(w_scale=np.full_like(scale, one))
        yield "reversed", plan.having(w_scale=scale[::-1])
        yield "next-channel", plan.having(w_scale=np.roll(scale, -1))


FORGOTTEN = {
    "input": ("x_scale",),
    "weight": ("w_scale",),
    "input-and-weight": ("x_scale", "w_scale"),
    "result": ("y_scale",),
    "all": ("x_scale", "w_scale", "y_scale"),
}


def _forgotten(plan: Plan) -> Variants:
    for name, symbols in FORGOTTEN.items():
        if plan.has(*symbols):
            yield name, plan.having(**{s: np.ones_like(plan.values[s]) for s in symbols})


def _inverted(plan: Plan) -> Variants:
    for letter, name in (("y", "result"), ("x", "input"), ("w", "weight")):
        if plan.has(f"{letter}_scale"):
            yield name, plan.having(**{f"{letter}_scale": 1 / plan.values[f"{letter}_scale"]})


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
    if plan.op.name.removesuffix("_relu") in {"cat", "stack"}:
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
        "the input's zero point is not subtracted",
        "forum 197716; real = scale·(q − zero_point)",
        "subtract x_zp from every input before multiplying (of a sum: from both operands)",
        _zero_point_of("x_zp", "a_zp", "b_zp"),
    ),
    Hypothesis(
        "weight-zero-point",
        "weight zero point",
        "the weights' zero point is not subtracted",
        "asymmetric weights: w_real = w_scale·(w_q − w_zp)",
        "subtract w_zp from every weight",
        _zero_point_of("w_zp"),
    ),
    Hypothesis(
        "output-zero-point",
        "output zero point",
        "the result's zero point is not added",
        "y_q = round(y_real / y_scale) + y_zp",
        "add y_zp before the clamp",
        _result_zero_point,
    ),
    Hypothesis(
        "zero-padding",
        "padding",
        "the padding holds the byte 0 and not the zero point",
        "pytorch#53807: the real value 0 is the byte x_zp",
        "pad the integers with x_zp, or centre them first and pad with 0",
        _padding,
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
    Hypothesis(
        "channel-scales",
        "scales",
        "the weights' scales are not those of their channels",
        "per-channel weights: one scale for each output channel, axis 0",
        "use w_scale[c] for output channel c",
        _scales,
        moves=True,
    ),
    Hypothesis(
        "scale-forgotten",
        "scales",
        "a scale is left out",
        "forum 69512: M[c] = x_scale·w_scale[c] / y_scale, not 1 / y_scale",
        "multiply the accumulator by x_scale·w_scale[c], and divide by y_scale",
        _forgotten,
    ),
    Hypothesis(
        "scale-inverted",
        "scales",
        "a scale is multiplied where it should be divided by, or the other way round",
        "M[c] = x_scale·w_scale[c] / y_scale",
        "multiply by x_scale and w_scale, divide by y_scale",
        _inverted,
    ),
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
