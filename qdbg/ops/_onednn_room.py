"""How much memory oneDNN's kernels for convolutions ask for: one that wants too much for so small a
layer leaves it to the next, whose arithmetic is another.

Facts of oneDNN 3.12, which torch 2.13 holds, confirmed near the limits by what the library says of
itself. They decide only for convolutions of groups: other layers have a kernel to spare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qdbg.core.arithmetic import f32, f64
from qdbg.core.quantity import Array
from qdbg.core.stage import Values

BLOCKS, GEMM, PLAIN = "onednn-conv", "onednn-conv-gemm", "onednn-conv-plain"
"""The ways back of its kernels, in the order in which it tries them."""
PAGE, LINE, KILO = 4096, 128, 1024
INT, ELEMENT = 4, 40
"""Bytes of an int32 and of an entry in the list of what a kernel multiplies."""
LANES, QUAD, VECTOR, MOST_BLOCKS = 16, 4, 64, 4
BLOCKS_LIMIT, GEMM_LIMIT = 64, 15
"""How many times the memory of input, weights and result a kernel may ask for."""
AXES, WIDE_ENOUGH = 3, 4

Three = tuple[int, int, int]


def _up(number: int, step: int) -> int:
    return -(-number // step) * step


def _parts(number: int, size: int) -> int:
    return -(-number // size)


def _booked(size: int, align: int = PAGE) -> int:
    """What a buffer takes in the end: nothing, or its size and room to align it."""
    return size + align if size else 0


def _three(numbers: Array, fill: int) -> Three:
    found = [int(n) for n in np.atleast_1d(numbers)]
    depth, height, width = [fill] * (AXES - len(found)) + found
    return depth, height, width


def _is_one(scale: Array) -> bool:
    """Whether PyTorch leaves the scale out, in float32 and over its reciprocal."""
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


def kernels(layer: Layer, vbmi: bool | None, threads: int) -> tuple[str, ...]:
    """Which of its kernels may compute a convolution of groups, the most likely one first.

    `vbmi` tells whether the processor has VBMI, None that it is not known: with it the
    kernel for blocks of windows copies the pixels of single channels together, and needs memory
    for that. With more than one thread the limits are looser.
    """
    depthwise = layer.inputs == layer.outputs == 1
    fits = () if depthwise else tuple(_blocks_fit(layer, vbmi))
    if fits and all(fits):
        return (BLOCKS,)
    sure = threads == 1 and not any(fits)
    room = gemm_fits(layer)
    if sure:
        return (GEMM,) if room else (PLAIN,)
    return (BLOCKS, GEMM) if room else (BLOCKS, GEMM, PLAIN)


def _blocks_fit(layer: Layer, vbmi: bool | None) -> Iterator[bool]:
    """For each processor and each number of channels at once: whether that kernel takes it."""
    for has in (True, False) if vbmi is None else (vbmi,):
        copies = None if layer.pointwise else _Copies.of(layer, has)
        if copies is None:
            yield True
            continue
        for blocks in range(1, min(MOST_BLOCKS, _parts(layer.outputs, LANES)) + 1):
            block = blocks * LANES
            limit = BLOCKS_LIMIT * (layer.images_bytes + copies.weights(block))
            yield copies.wanted(block) <= limit


def gemm_fits(layer: Layer) -> bool:
    """Whether the GEMM takes the layer."""
    channels = layer.groups * layer.outputs
    plane = layer.out[1] * layer.out[2]
    copied = layer.taps > 1 or layer.size != layer.out or max(layer.stride) > 1
    sums = _up(channels, LANES) * INT if layer.shifted else 0
    buffers = (
        layer.inputs * layer.taps * plane if copied else 0,
        plane * layer.outputs * INT,
        layer.inputs * int(np.prod(layer.size)),
        layer.scales * INT,
        sums,
    )
    weights = channels * layer.inputs * layer.taps + (channels * INT if layer.shifted else 0)
    limit = GEMM_LIMIT * (layer.images_bytes + weights + sums)
    return sum(_booked(size, LINE) for size in buffers) <= limit


@dataclass(frozen=True, slots=True)
class _Copies:
    """A layer whose pixels the kernel for blocks copies before it multiplies them."""

    layer: Layer
    rows: bool
    """It copies the kernel's rows and columns together."""
    columns: bool
    """It copies the kernel's columns together."""

    @classmethod
    def of(cls, layer: Layer, vbmi: bool) -> _Copies | None:
        """None where it copies nothing."""
        depth, _, width = layer.out
        _, high, wide = layer.kernel
        _, *dilation = layer.dilation
        single = vbmi and layer.inputs == 1
        plane = layer.axes < AXES
        rows = single and plane and high > 1 and width > WIDE_ENOUGH and max(dilation) == 1
        columns = single and wide > 1 and dilation[1] == 1 and layer.size[0] == 1
        if rows or columns:
            return cls(layer, rows, not rows)
        return cls(layer, False, False) if depth == wide == width == 1 else None

    @property
    def together(self) -> int:
        """How many positions of the kernel are multiplied as channels of one."""
        _, high, wide = self.layer.kernel
        return high * wide if self.rows else wide if self.columns else 1

    @property
    def step(self) -> int:
        """What the numbers that are multiplied together are padded to."""
        return VECTOR if self.layer.inputs * self.together > VECTOR else QUAD

    @property
    def channels(self) -> int:
        """Of a copied pixel."""
        if self.together > 1:
            return 1
        inputs = self.layer.inputs
        return min(_up(inputs, self.step), _up(inputs, VECTOR))

    def weights(self, block: int) -> int:
        """Bytes of the weights in the kernel's order, for this many output channels at once."""
        layer = self.layer
        copied = self.rows or self.columns
        outputs = _up(layer.outputs, LANES if copied else block) * layer.groups
        inputs = 1 if copied else _up(layer.inputs, self.step)
        return outputs * layer.taps * inputs + (outputs * INT if layer.shifted else 0)

    def wanted(self, block: int) -> int:
        """Bytes of all buffers."""
        layer = self.layer
        depth, high, wide = layer.kernel
        terms = depth * (1 if self.rows else high) * (1 if self.columns or self.rows else wide)
        table = _parts(_up(terms * ELEMENT, PAGE), ELEMENT) * ELEMENT
        across = 1 if self._flat else layer.out[2]
        marks = layer.out[0] * (layer.out[1] if self.rows else 1) * across * layer.groups
        rows = 1 if self.rows else high
        group = layer.groups * _up(layer.outputs, block)
        ordered = _up(group * rows * _up(self.together, self.step), KILO)
        return sum(
            _booked(size)
            for size in (
                table,
                _up(self._pixels, PAGE),
                _up(marks, PAGE),
                ordered if self.together > 1 else 0,
                group * self._corrections * INT,
                PAGE * INT if layer.scaled else 0,
            )
        )

    @property
    def _flat(self) -> bool:
        """All pixels of a plane are one block."""
        layer = self.layer
        ends = zip(layer.padding, layer.end, layer.kernel, strict=True)
        inside = all(before < k and after < k for before, after, k in ends)
        apart = layer.out[2] == 1 or layer.extent[2] <= layer.stride[2]
        return inside and apart and layer.stride[1] == 1

    @property
    def _step_bytes(self) -> int:
        layer = self.layer
        high = layer.kernel[1] if self.rows else 1
        alone = layer.extent[2] if layer.out[2] == 1 else 1
        return high * layer.stride[2] * self.channels * alone

    @property
    def _pixels(self) -> int:
        """Bytes of the copied input."""
        layer = self.layer
        rows = 1 if self.rows else layer.out[1]
        depth, height = self._span(0, 1), self._span(1, rows)
        width = layer.size[2] + layer.padding[2] + layer.end[2]
        if self._flat:
            block = layer.out[2] * rows
            skipped = 0 if layer.out[2] == 1 else (layer.extent[2] - 1) // layer.stride[2]
            whole = _up(block + skipped * (_parts(block, layer.out[2]) - 1), LANES)
            height = _parts(_up(height * width, whole), width)
            height += layer.kernel[1] * layer.dilation[1]
        parts = _parts(layer.inputs, self.channels) if self.together == 1 else 1
        area = depth * height * width * layer.groups * parts * self._step_bytes
        if not self.rows:
            return area
        shifts = (layer.out[1] - 1) * layer.stride[1] + 1
        return area * layer.kernel[1] + shifts * self._step_bytes

    def _span(self, axis: int, outputs: int) -> int:
        """How many rows of the image are copied for so many of the result."""
        layer = self.layer
        before, after = layer.padding[axis], layer.end[axis]
        kernel, stride = layer.kernel[axis], layer.stride[axis]
        needed = (outputs - 1) * min(kernel, stride) + layer.extent[axis]
        return min(layer.size[axis] + before + after, needed) + max(0, before) + max(0, after)

    @property
    def _corrections(self) -> int:
        """Integers per output channel that take the zero point off where a window reaches into
        the padding."""
        layer = self.layer
        if not layer.shifted or not any((*layer.padding, *layer.end)):
            return 0
        depths, heights = (
            1
            + _parts(abs(layer.padding[axis]), layer.dilation[axis])
            + _parts(abs(layer.end[axis]), layer.dilation[axis])
            for axis in (0, 1)
        )
        rows = 1 if self.rows else layer.out[1]
        return depths * min(layer.out[1], _up(rows + heights, rows)) * layer.out[2]
