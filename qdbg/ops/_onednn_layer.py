"""What oneDNN looks at when it chooses the kernel of a convolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qdbg.core.arithmetic import f32, f64
from qdbg.core.quantity import Array
from qdbg.core.stage import Values

PAGE, LANES, INT = 4096, 16, 4
"""Bytes of a page, output channels in a vector, bytes of an int32."""
AXES, FOUR = 3, 4
ONE_CHANNEL, FEW_CHANNELS = 2**16, 2**12
"""Bytes below which oneDNN may compute a convolution of groups by its GEMM."""
NEAR_ONE = 1e-6
"""No number further away from 1 than this is 1 in float32, nor over its reciprocal."""

Three = tuple[int, int, int]


def up(number: int, step: int) -> int:
    return -(-number // step) * step


def parts(number: int, size: int) -> int:
    return -(-number // size)


def booked(size: int, align: int = PAGE) -> int:
    """What a buffer takes in the end: nothing, or its size and room to align it."""
    return size + align if size else 0


def _three(numbers: Array, fill: int) -> Three:
    found = [int(n) for n in np.atleast_1d(numbers)]
    depth, height, width = [fill] * (AXES - len(found)) + found
    return depth, height, width


def _is_one(scale: Array) -> bool:
    """Whether PyTorch leaves the scale out, in float32 and over its reciprocal."""
    if abs(float(np.ravel(scale)[0]) - 1) > NEAR_ONE:
        return False
    return bool(np.all(f32(1 / f64(f32(1 / f64(scale)))) == 1))


@dataclass(frozen=True, slots=True)
class Layer:
    """What its kernels look at."""

    axes: int
    images: int
    groups: int
    inputs: int
    """Channels of a group."""
    outputs: int
    """Channels of a group."""
    kernel: Three
    stride: Three
    padding: Three
    dilation: Three
    size: Three
    out: Three
    shifted: bool
    """The input has a zero point."""
    scaled: bool
    """The result has a scale."""
    scales: int
    """How many products of an input's and a weight's scale are kept; 0 where one of them is 1."""
    adds: bool
    """Another image is added, and has a zero point: the GEMM takes no such image."""

    @classmethod
    def of(cls, values: Values) -> Layer:
        """From the operands of a convolution."""
        groups, w_scale = int(values["groups"]), values["w_scale"]
        channels = len(values["w_q"])
        images, *out = values["x_q"].shape[:-2]
        both = not _is_one(values["x_scale"]) and not _is_one(w_scale)
        return cls(
            axes=max(2, len(values["kernel_size"])),  # one axis is computed as two
            images=images,
            groups=groups,
            inputs=int(values["x_channels"]) // groups,
            outputs=channels // groups,
            kernel=_three(values["kernel_size"], 1),
            stride=_three(values["stride"], 1),
            padding=_three(values["padding"], 0),
            dilation=_three(values["dilation"], 1),
            size=_three(values["x_size"], 1),
            out=_three(np.array(out), 1),
            shifted=bool(values["x_zp"]),
            scaled=not _is_one(values["y_scale"]),
            scales=max(LANES, channels if np.ndim(w_scale) else 1) if both else 0,
            adds=bool(values.get("r_zp", 0)),
        )

    @property
    def extent(self) -> Three:
        """How many pixels a window spans."""
        d, h, w = (n * (k - 1) + 1 for k, n in zip(self.kernel, self.dilation, strict=True))
        return d, h, w

    @property
    def end(self) -> Three:
        """The padding that is used behind the image; below 0 where pixels are left over."""
        numbers = zip(self.out, self.stride, self.extent, self.size, self.padding, strict=True)
        d, h, w = ((o - 1) * s + e - n - p for o, s, e, n, p in numbers)
        return d, h, w

    @property
    def pointwise(self) -> bool:
        """One pixel at a time, and none outside the image."""
        return max(self.kernel) == 1 and max(*self.padding, *self.end) <= 0

    @property
    def taps(self) -> int:
        """Positions of the kernel."""
        return int(np.prod(self.kernel))

    @property
    def images_bytes(self) -> int:
        """Of the input and of the result."""
        pixels = self.inputs * int(np.prod(self.size)) + self.outputs * int(np.prod(self.out))
        return self.images * self.groups * pixels

    @property
    def depthwise(self) -> bool:
        """One channel in and one out per group."""
        return self.groups > 1 and self.inputs == self.outputs == 1

    @property
    def dilated(self) -> bool:
        """Whether the pixels of a window lie apart."""
        return max(self.dilation) > 1

    @property
    def by_fours(self) -> bool:
        """Whether a group's channels fill the quarters of a vector."""
        return self.inputs % FOUR == 0 and self.outputs % FOUR == 0

    @property
    def may_be_gemm(self) -> bool:
        """Whether oneDNN may find its buffers too large for so little data. Measured with a wide
        margin: what such layers hold was below 7 kB with one channel, below 600 bytes with more."""
        limit = ONE_CHANNEL if self.inputs == 1 else FEW_CHANNELS
        weights = self.groups * up(self.outputs, LANES) * up(self.inputs, FOUR) * self.taps
        return self.groups > 1 and not self.depthwise and self.images_bytes + weights < limit
