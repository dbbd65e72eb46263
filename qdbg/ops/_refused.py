"""Scales and zero points with which PyTorch refuses to run, measured at the borders of each, and
scales with which it leaves its own rule."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32
from qdbg.core.op import NotSimulated
from qdbg.core.quantity import Array
from qdbg.core.stage import Values
from qdbg.ops._qnnpack import qnnpack_multiplier

REFUSED = "PyTorch refuses to run it: "
NORMAL = "not positive, finite and normal in float32"
SMALLEST, BEYOND = 2.0**-14, 2.0**8
"""Between which the ratios of an addition lie, the second one not included."""

INT64 = 2.0**63
"""No int64 is so large. PyTorch makes int64 of elements behind whole vectors, then saturates."""


def check_int64(largest: Array) -> None:
    """Of the largest results before they saturate. Raises NotSimulated."""
    if not (largest < INT64).all():
        raise NotSimulated("a result lies beyond int64: PyTorch's is not what its rule gives")


def check_weight_zero_points(values: Values) -> None:
    """Of a layer of oneDNN. Raises NotSimulated."""
    if np.any(values["w_zp"]):
        raise NotSimulated(f"{REFUSED}oneDNN takes no weight zero points")


def check_multipliers(values: Values) -> None:
    """Of a layer of QNNPACK. Its weights are padded with channels of scale 1, whose multiplier
    has to do too. Raises NotSimulated."""
    _check("multiplier", qnnpack_multiplier.run(values))
    _check(
        "multiplier for the channels of scale 1 that it pads the weights with",
        qnnpack_multiplier.run({**values, "w_scale": np.array(1.0)}),
    )


def check_scales(values: Values, *names: str, library: str = "QNNPACK") -> None:
    """Raises NotSimulated where QNNPACK, or XNNPACK, takes no such scale."""
    for name in names:
        _check(name, np.asarray(values[name]), library)


def check_float32(values: Values) -> None:
    """Of a kernel whose rule holds while float32 has the operand's scale. Raises NotSimulated."""
    scale = float(values["x_scale"])
    if not np.finfo(np.float32).tiny <= f32(scale) < np.inf:
        raise NotSimulated(
            f"its operand's scale is {scale:.6g}, outside float32's normal numbers:"
            " PyTorch's result is not what its rule gives"
        )


def check_ratios(*ratios: Array) -> None:
    """Of an addition: how many output steps a step of an operand is worth. Raises NotSimulated."""
    for ratio in ratios:
        if not SMALLEST <= ratio < BEYOND:
            raise NotSimulated(
                f"{REFUSED}QNNPACK adds where a step of an operand is worth 2^-14 to 2^8 steps of"
                f" the result, here {float(ratio):.6g}"
            )


def check_output(values: Values, scale: float, zero_point: int) -> None:
    """Raises NotSimulated where the result has not the only parameters that QNNPACK has."""
    if f32(values["y_scale"]) != scale or int(values["y_zp"]) != zero_point:
        raise NotSimulated(
            f"{REFUSED}QNNPACK's result has scale {scale:.6g} and zero point {zero_point} alone"
        )


def _check(name: str, scales: Array, library: str = "QNNPACK") -> None:
    found = np.atleast_1d(f32(scales))
    fits = np.isfinite(found) & (found >= np.finfo(np.float32).tiny)
    if not fits.all():
        raise NotSimulated(f"{REFUSED}{library}'s {name} is {float(found[~fits][0]):.6g}, {NORMAL}")
