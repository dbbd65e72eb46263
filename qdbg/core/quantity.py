"""Quantized tensors: integers with the parameters that give them their real values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

RANGES: dict[str, tuple[int, int]] = {
    "quint8": (0, 255),
    "qint8": (-128, 127),
    "qint32": (-(2**31), 2**31 - 1),
}
"""The quantized dtypes of PyTorch with their smallest and largest integer."""

STORAGE: dict[str, type[np.generic]] = {"quint8": np.uint8, "qint8": np.int8, "qint32": np.int32}
"""The numpy dtype that holds the integers of each quantized dtype."""


def memory_order(array: Array) -> tuple[int, ...]:
    """The axes from the slowest to the fastest in memory."""
    return tuple(sorted(range(array.ndim), key=lambda axis: -array.strides[axis]))


def entries(array: Array, at: Array) -> Array:
    """The entries at flat indices `at` int64 [n], in C order; a view that has gaps, or shows an
    entry many times, is not copied as a whole."""
    found: Array = array.reshape(-1)[at] if array.flags.c_contiguous else array.flat[at]
    return found


def readonly(array: Array) -> Array:
    """The same data without gaps, its axes in the same order of memory, locked against writing."""
    flags = array.flags
    dense = flags.c_contiguous or array.transpose(memory_order(array)).flags.c_contiguous
    locked = array.view() if dense else np.array(array, order="C")
    locked.flags.writeable = False
    return locked


@dataclass(frozen=True, slots=True, eq=False)
class QParams:
    """How integers stand for real values: real = scale · (q − zero_point)."""

    scale: Array
    """float64, shape [] (per tensor) or [C] (per channel), as PyTorch stores it."""
    zero_point: Array
    """int64, same shape as scale."""
    dtype: str
    """`quint8`, `qint8` or `qint32`."""
    axis: int | None = None
    """The channel axis of per-channel parameters; None for per tensor."""

    @classmethod
    def per_tensor(cls, scale: float, zero_point: int, dtype: str = "quint8") -> QParams:
        """Parameters with one scale and one zero point for the whole tensor."""
        return cls(
            readonly(np.array(scale, np.float64)),
            readonly(np.array(zero_point, np.int64)),
            dtype,
        )

    @property
    def qmin(self) -> int:
        """The smallest integer of the dtype."""
        return RANGES[self.dtype][0]

    @property
    def qmax(self) -> int:
        """The largest integer of the dtype."""
        return RANGES[self.dtype][1]

    @property
    def per_channel(self) -> bool:
        """Whether each channel has its own scale and zero point."""
        return self.axis is not None


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class QTensor:
    """Integers and their quantization parameters."""

    q: Array
    """uint8, int8 or int32, as STORAGE says for the dtype of the parameters."""
    qparams: QParams
    strides: tuple[int, ...] | None = None
    """How many elements lie between neighbours along each axis in PyTorch's memory: the order in
    which a kernel meets the elements. None means row-major."""

    def real(self) -> Array:
        """scale · (q − zero_point) in float64, same shape as q."""
        scale, zero_point = self.qparams.scale, self.qparams.zero_point
        if self.qparams.axis is not None:
            shape = [1] * self.q.ndim
            shape[self.qparams.axis] = -1
            scale, zero_point = scale.reshape(shape), zero_point.reshape(shape)
        return scale * (self.q.astype(np.int64) - zero_point)
