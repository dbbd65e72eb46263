"""Child only: the arguments of a call of the dispatcher, by the names of its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from qdbg.capture.packed import unpacked
from qdbg.capture.rebuild import parameters
from qdbg.core.op import Operand
from qdbg.core.quantity import STORAGE, Array, QTensor, readonly

PLAIN = (bool, int, float, str)
NESTS = (list, tuple, dict)
"""What an argument's tensors may lie in."""
SPELLED = (torch.dtype, torch.memory_format, torch.layout, torch.device)
NUMBERS = (torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8)
"""Types of tensors that are no quantized ones and still worth keeping."""
HELD = {getattr(torch, name): np.dtype(kind) for name, kind in STORAGE.items()}
"""The numpy types of the integers of quantized tensors."""


class Arguments:
    """What a call was given, tensors and the rest apart."""

    def __init__(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.tensors: list[tuple[str, torch.Tensor]] = []
        self.settings: dict[str, object] = {}
        self.packed: list[Any] = []
        """Weights that the engine packed."""
        self.unpacked: list[tuple[str, torch.Tensor]] = []
        """The tensors in them, after `unpack`."""
        for name, value in _by_name(_schema(func), args, kwargs):
            self._sort(name, value)

    def _sort(self, name: str, value: Any) -> None:
        leaves = tree_leaves(value) if isinstance(value, NESTS) else [value]
        found = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        packed = [leaf for leaf in leaves if isinstance(leaf, torch.ScriptObject)]
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


@cache
def _schema(func: Any) -> tuple[tuple[str, Any], ...]:
    """The names and defaults of an op's arguments: torch makes them anew each time it is asked."""
    return tuple((argument.name, argument.default_value) for argument in func._schema.arguments)


def _by_name(
    schema: tuple[tuple[str, Any], ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    for place, (name, default) in enumerate(schema):
        given = args[place] if place < len(args) else kwargs.get(name)
        yield name, default if place >= len(args) and name not in kwargs else given


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
    if tensor.dtype in HELD:
        q = readonly(np.array(integers(tensor), order="K"))
        return QTensor(q, parameters(tensor), strides_of(tensor))
    if tensor.dtype in NUMBERS:
        return readonly(np.array(tensor.detach().numpy(), order="K"))
    return None


def integers(tensor: torch.Tensor) -> Array:
    """The integers of a quantized tensor as they lie in its own memory: no copy, and no call that
    a tape would see. They stay valid as long as the tensor lives."""
    dtype = HELD[tensor.dtype]
    if not tensor.numel():
        return np.zeros(tuple(tensor.shape), dtype)
    return np.asarray(_Memory(tensor, dtype))


class _Memory:
    """The memory of a quantized tensor, as numpy takes it."""

    def __init__(self, tensor: torch.Tensor, dtype: np.dtype[Any]) -> None:
        self.__array_interface__ = {
            "version": 3,
            "data": (tensor.data_ptr(), True),
            "shape": tuple(tensor.shape),
            "strides": tuple(step * dtype.itemsize for step in tensor.stride()),
            "typestr": dtype.str,
        }


def strides_of(tensor: torch.Tensor) -> tuple[int, ...] | None:
    """As `QTensor.strides`; None for exactly those of a new row-major tensor: where axes have the
    length 1, only the strides tell which order of memory a kernel takes the tensor for."""
    strides, step = tensor.stride(), 1
    for size, own in zip(reversed(tensor.shape), reversed(strides), strict=True):
        if own != step:
            return tuple(strides)
        step *= max(1, size)
    return None
