"""Pad: the tensor with a frame of one integer, or of its own integers mirrored."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import at_least, f32, saturate
from qdbg.core.op import BYTES, Call, Example, NotSimulated, Op, quantized_operand
from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops._moves import places
from qdbg.ops.moves import mover_stage
from qdbg.ops.quantize import (
    add_in_register,
    round_bounded,
    round_first,
    scale_first,
    scale_fused,
)

INSIDE = "inside"
"""The bool operand that tells the tensor's own elements from the frame."""
MODES = {
    "constant_pad": "constant",
    "reflection_pad1d": "reflect",
    "reflection_pad2d": "reflect",
    "reflection_pad3d": "reflect",
}


@stage(
    "value",
    output="pad_q byte",
    formula="pad_q = rne(fma32(value, f32(1 / f32(x_scale)), x_zp)) within qmin … qmax",
    constant=True,
)
def frame(value: Array, x_scale: Array, x_zp: Array, qmin: Array, qmax: Array) -> Array:
    """The integer of the frame: the value to pad with, quantized as the tensor is."""
    rounded = round_bounded.compute(scale_fused.compute(value, x_scale, x_zp))
    return saturate(rounded, int(qmin), int(qmax))


@stage(
    "value",
    output="pad_q byte",
    formula="pad_q = wrap32(rne(min(f32(value·f32(1 / f32(x_scale))), 2147483520)) + x_zp) within"
    " qmin … qmax",
    constant=True,
)
def frame_first(value: Array, x_scale: Array, x_zp: Array, qmin: Array, qmax: Array) -> Array:
    """The integer of the frame: the value to pad with, quantized as the tensor is; this release
    rounds it before the zero point is added."""
    rounded = round_first.compute(scale_first.compute(value, x_scale))
    return saturate(add_in_register.compute(rounded, x_zp), int(qmin), int(qmax))


@stage("move", output="y_q byte [I]", formula="y_q[i] = pad_q")
def framed(pad_q: Array) -> Array:
    """This element belongs to the frame."""
    return pad_q


inner = mover_stage("This element belongs to the tensor.")
mirror = mover_stage("Elements of the frame are those of the tensor, mirrored at its edge.")
move = split(INSIDE, inner, framed)
OUTSIDE = -1


def _pairs(call: Call, axes: int) -> list[tuple[int, int]]:
    """How many places are added before and after each axis; the call lists the last axis first."""
    flat = call.setting("pad", call.setting("padding"))
    if not isinstance(flat, list) or len(flat) % 2 or len(flat) > 2 * axes:
        raise NotSimulated("its padding is not understood")
    pairs = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    return [(0, 0)] * (axes - len(pairs)) + pairs[::-1]


def _framed(x: Array, call: Call) -> Array:
    pairs = _pairs(call, x.ndim)
    wide = np.pad(x, [(max(0, a), max(0, b)) for a, b in pairs], constant_values=OUTSIDE)
    cut = [slice(max(0, -a), n - max(0, -b)) for (a, b), n in zip(pairs, wide.shape, strict=True)]
    return wide[tuple(cut)]


def _mirrored(x: Array, call: Call) -> Array:
    pairs = _pairs(call, x.ndim)
    if min(min(pair) for pair in pairs) < 0:
        raise NotSimulated("it crops and mirrors at once")
    return np.pad(x, pairs, mode="reflect")


def operands(call: Call) -> dict[str, Array]:
    """x_q, the value to pad with, where each element comes from. Raises NotSimulated."""
    x = quantized_operand(call, 0, BYTES)
    mode = MODES.get(call.node.op, call.setting("mode", "constant"))
    found = {"x_q": x.q, "x_scale": x.qparams.scale, "x_zp": x.qparams.zero_point}
    if mode == "reflect":
        return found | {"source": places(call, _mirrored, x.q)}
    if mode != "constant":
        raise NotSimulated(f"its mode is {mode}")
    source = places(call, _framed, x.q)
    return found | {
        "value": f32(float(call.setting("value", 0.0))),
        "source": at_least(source, np.zeros((), np.int64)),
        "qmin": np.array(x.qparams.qmin),
        "qmax": np.array(x.qparams.qmax),
        INSIDE: source != OUTSIDE,
    }


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same for every engine."""
    if INSIDE not in values:
        return (mirror,)
    return (frame_first if arithmetic.quantize == ROUNDED else frame, move)


EXAMPLE = Example(
    "textbook",
    {
        "x_q": np.array([7, 255], np.uint8),
        "x_scale": 0.5,
        "x_zp": 3,
        "value": 1.0,
        "source": np.array([0, 0, 1]),
        "inside": np.array([False, True, True]),
        "qmin": 0,
        "qmax": 255,
    },
    (5, 7, 255),
)

OPS = (
    Op("pad", "Pad", operands, stages, (EXAMPLE,), ("aten::pad",)),
    Op("constant_pad", "Pad", operands, stages, (EXAMPLE,), ("aten::constant_pad_nd",)),
    *(
        Op(name, "Mirror the edges", operands, stages, (EXAMPLE,), (f"aten::{name}",))
        for name in MODES
        if name != "constant_pad"
    ),
)
