"""Child only: the arguments of a call of the dispatcher, by the names of its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from qdbg.capture.packed import unpacked
from qdbg.capture.rebuild import parameters
from qdbg.core.op import Operand
from qdbg.core.quantity import Array, QTensor, readonly

PLAIN = (bool, int, float, str)
SPELLED = (torch.dtype, torch.memory_format, torch.layout, torch.device)
NUMBERS = (torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8)
"""Types of tensors that are no quantized ones and still worth keeping."""
INTEGERS = {torch.quint8: torch.uint8, torch.qint8: torch.int8, torch.qint32: torch.int32}
"""The types that hold the integers of quantized tensors."""


class Arguments:
    """What a call was given, tensors and the rest apart."""

    def __init__(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.tensors: list[tuple[str, torch.Tensor]] = []
        self.settings: dict[str, object] = {}
        self.packed: list[Any] = []
        """Weights that the engine packed."""
        self.unpacked: list[tuple[str, torch.Tensor]] = []
        """The tensors in them, after `unpack`."""
        for name, value in _by_name(func._schema.arguments, args, kwargs):
            self._sort(name, value)

    def _sort(self, name: str, value: Any) -> None:
        found = [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
        packed = [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.ScriptObject)]
        if found:
            self.tensors += [(name, tensor) for tensor in found]
        elif packed:
            self.packed += packed
        elif (plain := _plain(value)) is not None:
            self.settings[name] = plain

    def unpack(self) -> None:
        """Look into packed weights: their tensors join, their numbers become settings."""
        for pack in self.packed:
            tensors, settings = unpacked(pack)
            self.unpacked += tensors
            self.settings |= settings


def _by_name(
    schema: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    for place, argument in enumerate(schema):
        given = args[place] if place < len(args) else kwargs.get(argument.name)
        left_out = place >= len(args) and argument.name not in kwargs
        yield argument.name, argument.default_value if left_out else given


def _plain(value: Any) -> object:
    """As JSON keeps it; None for what it does not keep."""
    if isinstance(value, SPELLED):
        return str(value).removeprefix("torch.")
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, list | tuple) and all(isinstance(v, PLAIN) for v in value):
        return list(value)
    return None


def copied(tensor: torch.Tensor) -> Operand | None:
    """The tensor's numbers at this moment, in their own order of memory; None for a type that qdbg
    does not keep."""
    if tensor.is_quantized and tensor.dtype in INTEGERS:
        q = readonly(np.array(integers(tensor), order="K"))
        return QTensor(q, parameters(tensor), strides_of(tensor))
    if tensor.dtype in NUMBERS:
        return readonly(np.array(tensor.detach().numpy(), order="K"))
    return None


def integers(tensor: torch.Tensor) -> Array:
    """The integers of a quantized tensor as they lie in its own memory: no copy."""
    storage, shape = tensor.untyped_storage(), (tensor.size(), tensor.stride())
    found: Array = (
        torch.empty(0, dtype=INTEGERS[tensor.dtype])
        .set_(storage, tensor.storage_offset(), *shape)
        .numpy()
    )
    return found


def strides_of(tensor: torch.Tensor) -> tuple[int, ...] | None:
    """As `QTensor.strides`; None for exactly those of a new row-major tensor: where axes have the
    length 1, only the strides tell which order of memory a kernel takes the tensor for."""
    strides, step = tuple(int(s) for s in tensor.stride()), 1
    row_major = []
    for size in reversed(tensor.shape):
        row_major.append(step)
        step *= max(1, int(size))
    return None if strides == tuple(reversed(row_major)) else strides
