"""Parts of a recording ⇄ JSON data and named tensors: quantized tensors, parameters, settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from qdbg.core.checks import check, describe, integers_in, mapping_in, tensor_in, text_in
from qdbg.core.op import Operand
from qdbg.core.quantity import RANGES, STORAGE, Array, QParams, QTensor

UNENDING = "float"
"""The key under which a setting has the name of a float that JSON lacks."""
NOT_FINITE = ("nan", "inf", "-inf")
MOST = 2**40
"""No stride is larger."""


def put_qparams(tensors: dict[str, Array], owner: str, qparams: QParams | None) -> object:
    """JSON keeps a single float64 exactly; channels go to tensors."""
    if qparams is None:
        return None
    if not qparams.per_channel:
        scale, zero_point = float(qparams.scale), int(qparams.zero_point)
        return {"dtype": qparams.dtype, "scale": scale, "zero_point": zero_point}
    tensors[f"scale/{owner}"] = qparams.scale
    tensors[f"zero_point/{owner}"] = qparams.zero_point
    return {"dtype": qparams.dtype, "axis": qparams.axis, "channels": owner}


def get_qparams(tensors: Mapping[str, Array], entry: object, owner: str) -> QParams | None:
    """The parameters of an entry, None where it has none. Raises SessionError where PyTorch could
    not have made them; `owner` is who has them."""
    if entry is None:
        return None
    fields = mapping_in(entry)
    dtype, axis = text_in(fields, "dtype"), fields.get("axis")
    check(dtype in RANGES, f"{owner} has the unknown type {dtype}")
    if axis is None:
        scale, zero_point = fields.get("scale"), fields.get("zero_point")
        plain = isinstance(scale, float) and isinstance(zero_point, int)
        check(plain, f"{owner} has no readable scale or zero point")
        low, high = RANGES["qint32"]
        narrow = min(max(int(zero_point or 0), low - 1), high + 1)
        qparams = QParams.per_tensor(float(scale or 0), narrow, dtype)
    else:
        check(isinstance(axis, int) and axis >= 0, f"{owner} has no readable channel axis")
        key = text_in(fields, "channels")
        scales, zero_points = (
            tensor_in(tensors, f"scale/{key}"),
            tensor_in(tensors, f"zero_point/{key}"),
        )
        shaped = scales.ndim == 1 and scales.shape == zero_points.shape
        typed = scales.dtype == np.float64 and zero_points.dtype == np.int64
        check(shaped and typed, f"{owner} has scales and zero points of another form")
        qparams = QParams(scales, zero_points, dtype, axis)
    good = bool(np.all(np.isfinite(qparams.scale)) and np.all(qparams.scale > 0))
    check(good, f"{owner} has a scale that is not a positive number")
    low, high = RANGES[dtype]
    inside = bool(np.all((qparams.zero_point >= low) & (qparams.zero_point <= high)))
    check(inside, f"{owner} has a zero point outside {low} to {high}")
    return qparams


def fit_axis(qparams: QParams | None, q: Array, owner: str) -> None:
    """Raises SessionError where there are more or fewer scales than channels."""
    if qparams is not None and qparams.axis is not None:
        fits = qparams.axis < q.ndim and q.shape[qparams.axis] == qparams.scale.size
        check(fits, f"{owner} has {qparams.scale.size} scales for the shape {list(q.shape)}")


def put_operand(tensors: dict[str, Array], key: str, operand: Operand) -> object:
    """An operand's JSON data; its numbers go to the tensor `key`."""
    if not isinstance(operand, QTensor):
        tensors[key] = operand
        return {"qparams": None}
    tensors[key] = operand.q
    strides = None if operand.strides is None else list(operand.strides)
    return {"qparams": put_qparams(tensors, key, operand.qparams), "strides": strides}


def get_operand(
    tensors: Mapping[str, Array], key: str, entry: Mapping[str, Any]
) -> QTensor | Array:
    """The operand that was put there. Raises SessionError."""
    value = tensor_in(tensors, key)
    qparams = get_qparams(tensors, entry.get("qparams"), describe(key))
    if qparams is None:
        return value
    check(value.dtype == STORAGE[qparams.dtype], f"{describe(key)} are {value.dtype}")
    fit_axis(qparams, value, describe(key))
    return QTensor(value, qparams, get_strides(entry, value.ndim, describe(key)))


def get_strides(entry: Mapping[str, Any], axes: int, owner: str) -> tuple[int, ...] | None:
    """The strides of a tensor with so many axes, None where there are none. Raises SessionError."""
    if entry.get("strides") is None:
        return None
    found = integers_in(entry, "strides")
    fits = len(found) == axes and all(0 <= s < MOST for s in found)
    check(fits, f"{owner} has strides for another shape")
    return found


def put_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """JSON has no word for NaN and the infinities: `clamp(x, 0, inf)`."""
    return {name: _put_setting(value) for name, value in settings.items()}


def _put_setting(value: object) -> object:
    if isinstance(value, list | tuple):
        return [_put_setting(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {UNENDING: str(value)}
    return value


def get_settings(entry: object, owner: str) -> dict[str, Any]:
    """The settings that were put there. Raises SessionError."""
    return {name: _get_setting(value, owner) for name, value in mapping_in(entry).items()}


def _get_setting(value: object, owner: str) -> object:
    if isinstance(value, list):
        return [_get_setting(item, owner) for item in value]
    if isinstance(value, dict):
        check(value.get(UNENDING) in NOT_FINITE, f"{owner} has a setting that cannot be read")
        return float(value[UNENDING])
    return value
