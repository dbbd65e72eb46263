"""The operands of a call by the names that a golden function may ask for, as PyTorch lays them out:
inputs NCHW, weights OIHW."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from qdbg.core.op import Call, Operand
from qdbg.core.quantity import Array, QParams, QTensor

Given: TypeAlias = Array | float | int | str | bool | tuple[object, ...] | None
"""What one parameter receives."""
PAIR = ("a", "b")
"""The first words of the names of two operands: `a_q`, `b_q`."""
SENDABLE = ("uint8", "int8", "int32", "int64", "float32", "float64")
"""What a message holds."""
OF_WINDOWS = ("stride", "padding", "dilation", "groups")


def operands_of(call: Call) -> dict[str, Given]:
    """Every operand of the call by name. Integers stay uint8 and int8 as PyTorch holds them."""
    found: dict[str, Given] = {"name": call.node.name, "op": call.node.op}
    found |= dict.fromkeys(("b", "bias", *OF_WINDOWS))
    found |= _settings(call)
    _add_tensors(found, call)
    _add_layer(found, call)
    _add_result(found, call)
    return found


def _settings(call: Call) -> dict[str, Given]:
    held = call.layer.settings if call.layer is not None else {}
    given = {**held, **call.node.settings}
    return {name: _plain(value) for name, value in given.items() if name.isidentifier()}


def _plain(value: object) -> Given:
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    return value if isinstance(value, bool | int | float | str) else None


def _add_tensors(found: dict[str, Given], call: Call) -> None:
    """x_* is the first operand; a_* and b_* are the two of an addition, x0_*, x1_* … all."""
    own = ("weight", "bias") if call.layer is None or call.layer.weight is None else ()
    named = list(zip(call.inputs, (*call.node.names, *[""] * len(call.inputs)), strict=False))
    inputs = [operand for operand, name in named if name not in own]
    if inputs:
        found |= _tensor("x", inputs[0])
    if len(inputs) > 1:
        for number, operand in enumerate(inputs):
            found |= _tensor(f"x{number}", operand)
        for letter, operand in zip(PAIR, inputs, strict=False):
            found |= {n: v for n, v in _tensor(letter, operand).items() if n != "b"}
    for operand, name in named:
        if name in own:
            found |= _held(name, operand)


def _add_layer(found: dict[str, Given], call: Call) -> None:
    if call.layer is None:
        return
    for name, operand in call.layer.parameters.items():
        if name.isidentifier():
            found |= _tensor(name, operand)
    if call.layer.weight is not None:
        found |= _held("weight", call.layer.weight)
        found |= {"b": call.layer.bias, "bias": call.layer.bias}


def _held(name: str, operand: Operand) -> dict[str, Given]:
    """A layer's weight as w_*, its bias as b."""
    if name == "bias":
        return {} if isinstance(operand, QTensor) else {"b": operand, "bias": operand}
    return _tensor("w", operand) if isinstance(operand, QTensor) else {name: operand}


def _tensor(name: str, operand: Operand) -> dict[str, Given]:
    if not isinstance(operand, QTensor):
        return {name: operand}
    numbers = _parameters(operand.qparams)
    return {f"{name}_q": operand.q, f"{name}_scale": numbers[0], f"{name}_zp": numbers[1]}


def _parameters(qparams: QParams) -> tuple[Given, Given]:
    """One number each, or one per channel."""
    if qparams.per_channel:
        return qparams.scale, qparams.zero_point
    return float(qparams.scale), int(qparams.zero_point)


def _add_result(found: dict[str, Given], call: Call) -> None:
    output = call.node.output
    found["y_shape"] = call.node.shape
    if output is not None:
        scale, zero_point = _parameters(output)
        found |= {"y_scale": scale, "y_zp": zero_point, "qmin": output.qmin, "qmax": output.qmax}


def split(given: Mapping[str, Given]) -> tuple[dict[str, Array], dict[str, object]]:
    """The arrays, and what JSON can hold; JSON has no infinity."""
    arrays: dict[str, Array] = {}
    plain: dict[str, object] = {}
    for name, value in given.items():
        infinite = isinstance(value, float) and not np.isfinite(value)
        if isinstance(value, np.ndarray) or infinite:
            arrays[name] = _sendable(np.asarray(value))
        else:
            plain[name] = value
    return arrays, plain


def _sendable(array: Array) -> Array:
    if array.dtype.name in SENDABLE:
        return array
    return array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
