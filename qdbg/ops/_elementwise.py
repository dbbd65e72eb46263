"""The frame of PyTorch's element-wise kernels: dequantize, apply a function, quantize.

Whole vector blocks take other float32 operations than the elements left over at the end of a row.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qdbg.core.arithmetic import (
    add32,
    f32,
    f64,
    fma32,
    for_each_byte,
    mul32,
    not_above,
    rne,
    rne32,
    sat32,
    saturate,
    wrapped_sum,
)
from qdbg.core.op import BYTES, Call, NotSimulated, output_operands, quantized_operand
from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, split, stage
from qdbg.ops._clamp import clamp_each
from qdbg.ops._lanes import block_lanes, row_major, strides_of
from qdbg.ops.quantize import LARGEST

BLOCK = "block"
"""The bool operand that tells whole vector blocks from the elements left over."""


@stage(
    "dequantize",
    output="d float32 [I]",
    formula="d[i] = fma32(f32(x_scale), x_q[i], f32(f32(x_scale)·(-x_zp)))",
)
def dequantize_block(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """The real value of the integer. This element lies in a whole vector block: the kernel takes
    the zero point off in one operation with the product."""
    scale = f32(x_scale)
    less = f32(f64(scale) * -f64(x_zp))
    return for_each_byte(lambda q: fma32(scale, q, less), x_q)


@stage("dequantize", output="d float32 [I]", formula="d[i] = f32(f32(x_scale)·(x_q[i] − x_zp))")
def dequantize_tail(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """The real value of the integer. This element is left over at the end of a row, where no whole
    vector block fits: the zero point is subtracted first."""
    scale, less = f64(f32(x_scale)), f64(x_zp)
    return for_each_byte(lambda q: f32(scale * (f64(q) - less)), x_q)


dequantize = split(BLOCK, dequantize_block, dequantize_tail)


@stage("dequantize", output="d float64 [I]", formula="d[i] = x_scale·(x_q[i] − x_zp)")
def dequantize_textbook(x_scale: Array, x_q: Array, x_zp: Array) -> Array:
    """The real value of the integer."""
    return f64(f64(x_scale) * (f64(x_q) - f64(x_zp)))


@stage("reciprocal", output="inv float32", formula="inv = f32(1 / f32(y_scale))", constant=True)
def reciprocal(y_scale: Array) -> Array:
    """How many output steps one real unit is worth: the kernel multiplies, it does not divide."""
    return f32(1 / f64(f32(y_scale)))


@stage("reciprocal", output="inv float32", formula="inv = f32(1 / y_scale)", constant=True)
def reciprocal_double(y_scale: Array) -> Array:
    """How many output steps one real unit is worth, found in float64 and then rounded."""
    return f32(1 / f64(y_scale))


@stage(
    "quantize",
    output="z int32 [I]",
    formula="z[i] = wrap32(rne(min(f32(u[i]·inv), 2147483520)) + y_zp)",
)
def quantize_block(u: Array, inv: Array, y_zp: Array) -> Array:
    """Back to output steps. In a whole vector block the value is rounded first, and the zero point
    is added as an integer."""
    scaled = mul32(u, inv)
    return wrapped_sum(rne32(not_above(scaled, LARGEST)), y_zp)


@stage(
    "quantize",
    output="z int32 [I]",
    formula="z[i] = rne(f32(y_zp + f32(u[i]·f32(1 / f32(y_scale)))))",
)
def quantize_tail(u: Array, y_scale: Array, y_zp: Array) -> Array:
    """Back to output steps. An element that is left over gets the zero point before it is rounded:
    a tie can go to the other neighbour than in a vector block."""
    total = add32(f32(y_zp), mul32(u, f32(1 / f64(f32(y_scale)))))
    return np.where(np.isnan(total), 0, sat32(rne(total)))


@stage(
    "quantize",
    output="z int32 [I]",
    formula="z[i] = sat32(f32(y_zp + rne(f32(u[i]·f32(1 / f32(y_scale))))))",
)
def quantize_tail_first(u: Array, y_scale: Array, y_zp: Array) -> Array:
    """Back to output steps. An element that is left over is rounded first in this release, as in a
    vector block; the zero point is added in float32."""
    total = add32(f32(y_zp), rne(mul32(u, f32(1 / f64(f32(y_scale))))))
    return np.where(np.isnan(total), 0, sat32(total))


quantize = split(BLOCK, quantize_block, quantize_tail)
quantize_first = split(BLOCK, quantize_block, quantize_tail_first)


def quantize_of(arithmetic: Arithmetic) -> Stage:
    """The stage back to output steps, zero point before or after rounding."""
    return quantize_first if arithmetic.quantize == ROUNDED else quantize


def tail_of(arithmetic: Arithmetic) -> Stage:
    """The same for an element that is left over."""
    return quantize_tail_first if arithmetic.quantize == ROUNDED else quantize_tail


@stage("quantize", output="z int32 [I]", formula="z[i] = rne(u[i] / y_scale) + y_zp")
def quantize_textbook(u: Array, y_scale: Array, y_zp: Array) -> Array:
    """Back to output steps: divide, round half to even, add the zero point."""
    return sat32(saturate(rne(f64(u) / y_scale), -(2.0**30), 2.0**30) + y_zp)


def operands(call: Call, *, copies: bool = False) -> dict[str, Array]:
    """x_q in its own shape and its parameters, those of the result, and which elements lie in
    whole vector blocks. Raises NotSimulated.

    `copies` holds for kernels that first bring their input into the result's order of memory.
    """
    x = quantized_operand(call, dtypes=BYTES)
    out = call.node.strides or row_major(call.node.shape)
    own = out if copies else strides_of(x)
    return {
        "x_q": x.q,
        "x_scale": x.qparams.scale,
        "x_zp": x.qparams.zero_point,
        **output_operands(call, dtypes=BYTES),
        BLOCK: block_lanes(x.q.shape, [out, own], call.threads),
    }


def refuse_doubtful_tail(
    arithmetic: Arithmetic, values: Values, ends: Callable[[Array], tuple[Array, Array]]
) -> None:
    """Raise NotSimulated where the last bits of the C library's function decide about an integer.

    Only the elements that are left over at the end of a row take that function; of their real
    values `ends` tells the smallest and the largest result that it may give.
    """
    x_q = np.unique(np.asarray(values["x_q"])[~np.asarray(values[BLOCK])])
    with np.errstate(all="ignore"):
        found = ends(dequantize_tail.compute(values["x_scale"], x_q, values["x_zp"]))
        tail = tail_of(arithmetic)
        low, high = (tail.compute(u, values["y_scale"], values["y_zp"]) for u in found)
    refuse_apart(values, low, high)


def refuse_apart(values: Values, low: Array, high: Array) -> None:
    """Raise NotSimulated where two candidates for the results are different integers."""
    ends = int(values["qmin"]), int(values["qmax"])
    if not np.array_equal(saturate(low, *ends), saturate(high, *ends)):
        raise NotSimulated(DOUBT)


DOUBT = (
    "one of its results lies so near a rounding tie that the last bits of the C library's function"
    " decide, and those differ between its versions"
)


def stages_of(
    function: Stage, *, double: bool = False, textbook: Stage | None = None
) -> Callable[[Arithmetic, Values], tuple[Stage, ...]]:
    """The stages around a function from d to u; `double` for kernels that find the reciprocal of
    the scale in float64."""

    def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
        del values
        if arithmetic.engine == "textbook":
            return (dequantize_textbook, textbook or function, quantize_textbook, clamp_each)
        inverse = reciprocal_double if double else reciprocal
        return (dequantize, function, inverse, quantize_of(arithmetic), clamp_each)

    return stages
