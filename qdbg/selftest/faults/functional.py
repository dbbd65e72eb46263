"""Wrong rules of arithmetic on two tensors, and of concatenation."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64, rne, sat32, shift_half_away, wrap32
from qdbg.core.quantity import Array
from qdbg.core.stage import split
from qdbg.ops import (
    _add_fixed,
    _binary,
    _elementwise,
    _lanes,
    _requantized,
    _scalar,
    _xnnpack,
    add,
    add_scalar,
    cat,
    matmul,
    mul,
    mul_scalar,
)
from qdbg.ops._clamp import clamp_each
from qdbg.ops._elementwise import BLOCK, quantize_block, quantize_tail
from qdbg.selftest.faults import FIRST, FUSED, computing, fault, stage_fault
from qdbg.selftest.faults._wrong import half_away

XNNPACK = {"qint8": "XNNPACK"}
COMMON, QNNPACK = ("fbgemm", "x86", "onednn"), ("qnnpack",)
FLOAT = (add.first, add.second, add.add, _elementwise.reciprocal, _elementwise.quantize, clamp_each)
LANES = _lanes.block_lanes


def lanes_of_32(shape: tuple[int, ...], strides: Any, threads: int = 1) -> Array:
    """Blocks of one vector instead of two, wherever there is any."""
    place = np.arange(int(np.prod(shape))).reshape(shape)
    whole = place < place.size // 32 * 32
    return np.asarray(whole & LANES(shape, [strides[0]] * 2, threads))


def no_lanes(shape: tuple[int, ...], strides: Any, threads: int = 1) -> Array:
    """Every element on its own."""
    del strides, threads
    return np.zeros(shape, dtype=bool)


def all_lanes(shape: tuple[int, ...], strides: Any, threads: int = 1) -> Array:
    """Every element in a block."""
    del strides, threads
    return np.ones(shape, dtype=bool)


def repeating_is_no_block(shape: tuple[int, ...], strides: Any, threads: int = 1) -> Array:
    """An operand that repeats one element along a row has no blocks."""
    flat = any(0 in s for s in strides)
    return no_lanes(shape, strides) if flat else LANES(shape, strides, threads)


def toward_even(x: Array, places: int) -> Array:
    """x / 2^places, half to even."""
    return np.asarray(rne(f64(x) / 2.0**places).astype(np.int32))


FAULTS = (
    fault("add has no vector blocks", "add", _binary, "block_lanes", no_lanes, engines=COMMON),
    fault("add has nothing left over", "add", _binary, "block_lanes", all_lanes, engines=COMMON),
    fault("add takes blocks of 32", "add", _binary, "block_lanes", lanes_of_32, engines=COMMON),
    fault(
        "add has no blocks where an operand repeats",
        "add",
        _binary,
        "block_lanes",
        repeating_is_no_block,
        engines=COMMON,
    ),
    fault(
        "add quantizes everything as in blocks",
        "add",
        _elementwise,
        "quantize",
        split(BLOCK, quantize_block, quantize_block),
        engines=COMMON,
        only=FUSED,
    ),
    fault(
        "add quantizes everything as what is left over",
        "add",
        _elementwise,
        "quantize",
        split(BLOCK, quantize_tail, quantize_tail),
        engines=COMMON,
        only=FUSED,
    ),
    fault("add dequantizes in float64", "add", add, "f32", f64, engines=COMMON),
    stage_fault(
        "add_relu forgets the relu",
        "add_relu",
        add,
        "add_relu",
        lambda a, b: f32(f64(a) + f64(b)),
        engines=COMMON,
    ),
    fault(
        "qnnpack adds in float32",
        "add",
        _add_fixed,
        "stages",
        lambda values, relu: FLOAT,
        engines=QNNPACK,
    ),
    fault(
        "qnnpack rounds half to even",
        "add",
        _add_fixed,
        "shift_half_away",
        toward_even,
        engines=QNNPACK,
    ),
    fault("qnnpack adds with 23 bits", "add", _add_fixed, "BITS", 22, engines=QNNPACK),
    fault(
        "qnnpack truncates its multipliers",
        "add",
        _add_fixed,
        "rne",
        np.floor,
        engines=QNNPACK,
    ),
    stage_fault(
        "mul divides by the output's scale",
        "mul",
        mul,
        "multiplier",
        lambda a_scale, b_scale, y_scale: f32(
            f64(f32(f64(f32(a_scale)) * f32(b_scale))) / f32(y_scale)
        ),
    ),
    stage_fault(
        "mul multiplies in float64",
        "mul",
        mul,
        "scale",
        lambda acc, M: f64(acc) * f64(M),  # noqa: N803 (the formula's symbol)
    ),
    fault(
        "mul saturates in blocks as what is left over",
        "mul",
        mul,
        "round_and_shift",
        split(BLOCK, _requantized.round_tail, _requantized.round_tail),
    ),
    fault(
        "mul adds the zero point before rounding",
        "mul",
        mul,
        "round_and_shift",
        split(
            BLOCK,
            computing(_requantized.round_block, lambda s, y_zp: sat32(rne(f64(s) + y_zp))),
            _requantized.round_tail,
        ),
    ),
    fault("add_scalar rounds half away", "add_scalar", add_scalar, "rne", half_away),
    stage_fault(
        "add_scalar forgets the zero point",
        "add_scalar",
        add_scalar,
        "add",
        lambda x_q, x_zp, c_q: wrap32(x_q.astype(np.int64) + c_q),
    ),
    stage_fault(
        "the relu after a number clamps at 0",
        "mul_scalar_relu",
        _scalar,
        "relu",
        lambda t_q, y_zp: np.maximum(np.asarray(t_q, np.int32), 0),
    ),
    fault(
        "mul_scalar mirrors nothing",
        "mul_scalar",
        mul_scalar,
        "plain",
        (mul_scalar.plain[0], mul_scalar.plain[0], mul_scalar.plain[2]),
    ),
    fault("cat takes 16 channels at once", "cat", cat, "CHANNELS", 16),
    fault(
        "cat has the same kernel for all orders of memory",
        "cat",
        cat,
        "_channels_last",
        lambda tensor: False,
    ),
    stage_fault(
        "cat takes the raw integers", "cat", cat, "dequantize", lambda x_scale, x_q, x_zp: f32(x_q)
    ),
    fault(
        "cat's vectors take the reciprocal of the float32 scale",
        "cat",
        _elementwise,
        "reciprocal_double",
        _elementwise.reciprocal,
    ),
    fault(
        "stack takes channels as cat does",
        "stack",
        cat,
        "_channels_last",
        lambda tensor: False,
        only=FUSED,
    ),
    *(
        fault(
            f"{case} adds the zero point before rounding",
            case,
            _elementwise,
            "ROUNDED",
            "",
            **where,
        )
        for case, where in (
            ("add", {"engines": COMMON, "only": FIRST}),
            ("cat", {"only": FIRST}),
        )
    ),
    stage_fault(
        "qint8 are multiplied by the reciprocal of the scale",
        "mul",
        mul,
        "multiplier_xnnpack",
        mul.multiplier.compute,
        only=XNNPACK,
    ),
    fault(
        "qint8 are multiplied without a bound of int32",
        "mul",
        _xnnpack,
        "rne32",
        lambda s: np.asarray(rne(f64(s))),
        only=XNNPACK,
    ),
    fault(
        "qint8 are added with 22 bits",
        "add",
        _xnnpack,
        "BITS",
        21,
        engines=QNNPACK,
        only=XNNPACK,
    ),
    fault(
        "qint8 are added and rounded half away",
        "add",
        _xnnpack,
        "shift_half_up",
        shift_half_away,
        engines=QNNPACK,
        only=XNNPACK,
    ),
    stage_fault(
        "matmul sums the raw integers",
        "matmul",
        matmul,
        "first_tail",
        lambda a_scale, a_q, a_zp: f32(f64(f32(a_scale)) * f64(a_q)),
    ),
)
