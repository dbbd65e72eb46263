"""What a thread holds: a call in integers, what PyTorch makes of it, and what came out by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from qdbg.core.quantity import Array


@dataclass(frozen=True)
class Quantized:
    """Integers with one scale and zero point; `dtype` as torch spells it."""

    q: Array
    scale: float
    zero_point: int = 0
    dtype: str = "quint8"

    @classmethod
    def of(cls, numbers: object, scale: float, zero_point: int = 0, dtype: str = "quint8"):
        return cls(np.array(numbers, np.uint8 if dtype == "quint8" else np.int8), scale, zero_point,
                   dtype)  # fmt: skip

    def centred(self) -> Array:
        return self.q.astype(np.int64) - self.zero_point


@dataclass(frozen=True, kw_only=True)
class Posted:
    """A call, what it gives, and what was thought that it should give."""

    op: str
    """As in the recording; `quantize` of `real`, `add` of `x` and `other`, else of `x` and `w`."""
    y_scale: float
    y_zp: int
    mistake: str
    """What was done otherwise by hand; empty where nothing was."""
    by_hand: Array
    """What came out, neither rounded nor clamped where the thread did not."""
    whole: Array
    """PyTorch's integers where the kernel makes whole sums."""
    cut: Array | None = None
    """Those where it adds saturating pairs across the kernel's positions; the same where None."""
    fixed: Array | None = None
    """Those of QNNPACK; as `whole` where None."""
    x: Quantized | None = None
    w: Quantized | None = None
    b: tuple[float, ...] | None = None
    other: Quantized | None = None
    real: Array | None = None
    stride: int = 1
    padding: int = 0
    per_channel: bool = False

    def gives(self, *, qnnpack: bool, pairs: bool) -> list[int]:
        """PyTorch's integers, flat."""
        if qnnpack and self.fixed is not None:
            found = self.fixed
        else:
            found = self.cut if pairs and self.cut is not None else self.whole
        return [int(n) for n in np.ravel(found)]


def rounded(real: Array, scale: float, zero_point: int, low: int = 0) -> Array:
    """The textbook's integers, in float64."""
    return np.clip(np.rint(real / scale) + zero_point, low, 255).astype(np.int64)


def windows(image: Array, size: int, stride: int, padding: int, fill: int) -> Array:
    """[out, out, C·size·size] of one image [C, H, W]."""
    around = ((0, 0), (padding, padding), (padding, padding))
    padded = np.pad(image, around, constant_values=fill)
    views = sliding_window_view(padded, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    moved = np.moveaxis(views, 0, 2)
    return moved.reshape(*moved.shape[:2], -1)
