"""Numbers of a model file: every size, stride, offset, scale and zero point is checked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qdbg.core.quantity import RANGES, Array, QParams, QTensor, readonly
from qdbg.core.words import counted
from qdbg.errors import ModelError
from qdbg.reader.archive import Archive
from qdbg.reader.records import Call, Name, Storage

KINDS: dict[str, str] = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "u1",
    "QInt8Storage": "i1",
    "QUInt8Storage": "u1",
    "QInt32Storage": "<i4",
}
"""The storages that are understood, with numpy's name for their numbers."""
QUANTIZED = {"i1": "qint8", "u1": "quint8", "<i4": "qint32"}
DIMENSIONS = 8
COPIES, LEAST = 8, 20_000_000
"""Numbers are copied to as many times the file's size, or to so many bytes."""


class Tensors:
    """Makes arrays of the tensors that a pickle describes."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._storages: dict[str, Array] = {}
        self._views: dict[object, Array] = {}
        self._copied = 0

    def array(self, value: Any, what: str) -> Array:
        """A plain tensor's numbers. Raises ModelError, naming `what`."""
        if isinstance(value, Call) and value.name.endswith("_rebuild_parameter") and value.args:
            value = value.args[0]
        match value:
            case Call("torch._utils._rebuild_tensor_v2", (Storage() as s, o, size, stride, *_)):
                return self._view(s, o, size, stride, what)
            case _:
                raise ModelError(f"{what} is not a tensor")

    def quantized(self, value: Any, what: str) -> QTensor:
        """A quantized tensor. Raises ModelError, naming `what`."""
        match value:
            case Call("torch._utils._rebuild_qtensor", (Storage() as s, o, size, stride, qp, *_)):
                q = self._view(s, o, size, stride, what)
                dtype = QUANTIZED.get(KINDS[s.kind])
                if dtype is None or not s.kind.startswith("Q"):
                    raise ModelError(f"{what} holds {s.kind}", expected="quantized integers")
                return QTensor(q, self._qparams(qp, dtype, q.shape, what))
            case _:
                raise ModelError(f"{what} is not a quantized tensor")

    def _qparams(self, value: Any, dtype: str, shape: tuple[int, ...], what: str) -> QParams:
        match value:
            case (Name("torch.per_tensor_affine"), float(scale), int(zero_point)):
                return checked(scale, zero_point, dtype, what)
            case (Name("torch.per_channel_affine"), scales, zero_points, int(axis)):
                if not 0 <= axis < len(shape):
                    raise ModelError(f"{what} has its scales on axis {axis} of {len(shape)}")
                found = self._as(scales, np.floating, np.float64, f"the scales of {what}")
                zeros = self._as(zero_points, np.integer, np.int64, f"the zero points of {what}")
                if found.shape != (shape[axis],) or zeros.shape != (shape[axis],):
                    raise ModelError(
                        f"{what} has {found.size} scales and {zeros.size} zero points",
                        expected=f"{shape[axis]}, one per channel",
                    )
                worst = found[np.argmin(np.where(np.isfinite(found), found, -np.inf))]
                for zero_point in (zeros.min(), zeros.max()):
                    checked(float(worst), int(zero_point), dtype, what)
                return QParams(readonly(found), readonly(zeros), dtype, axis)
            case _:
                raise ModelError(f"{what} is quantized in a way that qdbg does not know")

    def _view(self, storage: Storage, offset: Any, size: Any, stride: Any, what: str) -> Array:
        sizes, strides = _counts(size), _counts(stride)
        if sizes is None or strides is None or len(sizes) != len(strides):
            raise ModelError(f"{what} has a shape that is no shape")
        if not _is_count(offset) or len(sizes) > DIMENSIONS:
            raise ModelError(f"{what} begins at {str(offset)[:40]} and has {len(sizes)} axes")
        flat = self._storage(storage, what)
        strides = [s if n > 1 else 0 for n, s in zip(sizes, strides, strict=True)]
        last = offset + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
        if not _product(sizes):
            raise ModelError(f"{what} has the shape {_shape(sizes)} and holds no numbers")
        if _product(sizes) > flat.size or last >= flat.size:
            raise ModelError(f"{what} is larger than the numbers that the file holds for it")
        steps = [s * flat.itemsize for s in strides]
        view = np.lib.stride_tricks.as_strided(flat[offset:], sizes, steps, writeable=False)
        key = storage, offset, tuple(sizes), tuple(strides)
        if key not in self._views:
            self._views[key] = self._kept(view, what)
        return self._views[key]

    def _as(self, value: Any, kind: Any, dtype: Any, what: str) -> Array:
        """A tensor of the kind in the widest type of its kind, as PyTorch computes with it."""
        found = self.array(value, what)
        if not np.issubdtype(found.dtype, kind):
            raise ModelError(f"{what} are {found.dtype} numbers")
        return found if found.dtype == dtype else self._kept(found.astype(dtype), what)

    def _kept(self, array: Array, what: str) -> Array:
        """The array, contiguous. Raises ModelError once the copies outgrow the file many times."""
        if array.flags.c_contiguous and array.base is not None:
            return readonly(array)
        self._copied += array.nbytes
        if self._copied > max(COPIES * self.archive.length, LEAST):
            raise ModelError(f"{what}: the file lays out the same numbers again and again")
        return readonly(array)

    def _storage(self, storage: Storage, what: str) -> Array:
        kind = KINDS.get(storage.kind)
        if kind is None:
            raise ModelError(f"{what} holds {storage.kind}, which qdbg does not read")
        member = f"data/{storage.key}"
        wanted = storage.numel * np.dtype(kind).itemsize
        if self.archive.size(member) != wanted:
            raise ModelError(
                f"{what}: member {member} has {self.archive.size(member)} bytes",
                expected=f"{wanted}, for {counted(storage.numel, 'number')}",
            )
        if member not in self._storages:
            self._storages[member] = np.frombuffer(self.archive.read(member), np.uint8)
        return self._storages[member].view(kind)


def checked(scale: float, zero_point: int, dtype: str, what: str) -> QParams:
    """Per-tensor parameters. Raises ModelError for a scale or a zero point that cannot be."""
    if dtype not in RANGES:
        raise ModelError(f"{what} is {dtype}, which qdbg does not read")
    low, high = RANGES[dtype]
    if not math.isfinite(scale) or scale <= 0:
        raise ModelError(f"{what} has the scale {scale}", expected="a finite number above 0")
    if not low <= zero_point <= high:
        raise ModelError(
            f"{what} has the zero point {zero_point}", expected=f"{low} to {high} for {dtype}"
        )
    return QParams.per_tensor(scale, zero_point, dtype)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62


def _counts(value: Any) -> list[int] | None:
    if isinstance(value, Call) and value.name == "torch.Size" and value.args:
        value = value.args[0]
    if not isinstance(value, tuple) or not all(_is_count(n) for n in value):
        return None
    return list(value)


def _shape(sizes: list[int]) -> str:
    return str(sizes)[:60]


def _product(sizes: list[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
