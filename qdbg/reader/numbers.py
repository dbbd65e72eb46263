"""Plain numbers among a module's attributes: its settings, and the scale of its result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from qdbg.core.quantity import QParams
from qdbg.errors import ModelError
from qdbg.reader.plain import showable
from qdbg.reader.records import Call, Name
from qdbg.reader.tensors import Tensors, checked

LONGEST_LIST = 16
"""A setting has no more parts: a kernel's size has three."""
SCALES = ("scale", "zero_point"), ("output_scale", "output_zero_point")
"""What modules call the parameters of their result."""


def settings_in(state: Mapping[Any, Any], absent: Mapping[str, None]) -> dict[str, object]:
    """The plain attributes of a module, and the children that it lacks."""
    return {
        name: value.text if isinstance(value, Name) else value
        for name, value in {**absent, **state}.items()
        if (_is_setting(value) or (isinstance(value, Name) and str(name).endswith("_dtype")))
        and isinstance(name, str)
        and showable(name)
        and not name.startswith("_")
    }


def _is_setting(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return len(value) <= LONGEST_LIST and all(_is_plain(part) for part in value)
    return _is_plain(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | None) or (isinstance(value, str) and showable(value))


def output_of(
    state: Mapping[Any, Any], path: str, tensors: Tensors, follows: bool
) -> QParams | None:
    """The scale and zero point of the result: plain numbers, or buffers of one number. Without a
    dtype of its own it is quint8, or has that of the operand, which it `follows`: only a negative
    zero point says then that it is qint8."""
    buffers = state.get("_buffers")
    held = buffers if isinstance(buffers, dict) else {}
    for names in SCALES:
        scale, zero_point = (state.get(name, held.get(name)) for name in names)
        if scale is not None and zero_point is not None:
            kind = state.get("dtype")
            dtype = kind.text.removeprefix("torch.") if isinstance(kind, Name) else "quint8"
            found = _number(zero_point, path, tensors)
            if follows and not isinstance(kind, Name) and found is not None and found < 0:
                dtype = "qint8"
            return parameters(scale, zero_point, dtype, path, tensors)
    return None


def parameters(
    scale: Any, zero_point: Any, dtype: str, path: str, tensors: Tensors
) -> QParams | None:
    """One scale and one zero point; None for more than one. Raises ModelError."""
    first, second = _number(scale, path, tensors), _number(zero_point, path, tensors)
    if first is None or second is None:
        return None
    if not math.isfinite(second) or int(second) != second:
        raise ModelError(f"{path} has the zero point {second}", expected="a whole number")
    return checked(float(first), int(second), dtype, path)


def _number(value: Any, path: str, tensors: Tensors) -> float | int | None:
    if isinstance(value, int | float):
        return value
    found = tensors.array(value, f"a scale or zero point of {path}")
    number: float | int | None = found.reshape(-1)[0].item() if found.size == 1 else None
    return number


def is_quantized(value: Any) -> bool:
    """Whether the record is one of a quantized tensor's."""
    return isinstance(value, Call) and value.name.endswith("_rebuild_qtensor")


def is_tensor(value: Any) -> bool:
    """Whether the record is one of a tensor's."""
    return isinstance(value, Call) and value.name.startswith("torch._utils._rebuild_")
