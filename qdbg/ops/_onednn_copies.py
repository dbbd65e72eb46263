"""What oneDNN's kernel for blocks of windows copies before it multiplies: how much it takes."""

from __future__ import annotations

from dataclasses import dataclass

from qdbg.ops._onednn_layer import AXES, INT, LANES, PAGE, Layer, booked, parts, up

KILO, ELEMENT = 1024, 40
"""Bytes of an entry in the list of what the kernel multiplies: 40."""
QUAD, VECTOR, WIDE_ENOUGH = 4, 64, 4


@dataclass(frozen=True, slots=True)
class Copies:
    """A layer whose pixels the kernel for blocks copies before it multiplies them."""

    layer: Layer
    rows: bool
    """It copies the kernel's rows and columns together."""
    columns: bool
    """It copies the kernel's columns together."""

    @classmethod
    def of(cls, layer: Layer, *, vbmi: bool) -> Copies | None:
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
        return min(up(inputs, self.step), up(inputs, VECTOR))

    def weights(self, block: int) -> int:
        """Bytes of the weights in the kernel's order, for this many output channels at once."""
        layer = self.layer
        copied = self.rows or self.columns
        outputs = up(layer.outputs, LANES if copied else block) * layer.groups
        inputs = 1 if copied else up(layer.inputs, self.step)
        return outputs * layer.taps * inputs + (outputs * INT if layer.shifted else 0)

    def wanted(self, block: int) -> int:
        """Bytes of all buffers."""
        layer = self.layer
        depth, high, wide = layer.kernel
        terms = depth * (1 if self.rows else high) * (1 if self.columns or self.rows else wide)
        table = parts(up(terms * ELEMENT, PAGE), ELEMENT) * ELEMENT
        across = 1 if self.flat else layer.out[2]
        marks = layer.out[0] * (layer.out[1] if self.rows else 1) * across * layer.groups
        rows = 1 if self.rows else high
        group = layer.groups * up(layer.outputs, block)
        ordered = up(group * rows * up(self.together, self.step), KILO)
        return sum(
            booked(size)
            for size in (
                table,
                up(self._pixels, PAGE),
                up(marks, PAGE),
                ordered if self.together > 1 else 0,
                group * self._corrections * INT,
                PAGE * INT if layer.scaled else 0,
            )
        )

    @property
    def flat(self) -> bool:
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
        if self.flat:
            block = layer.out[2] * rows
            skipped = 0 if layer.out[2] == 1 else (layer.extent[2] - 1) // layer.stride[2]
            whole = up(block + skipped * (parts(block, layer.out[2]) - 1), LANES)
            height = parts(up(height * width, whole), width)
            height += layer.kernel[1] * layer.dilation[1]
        blocks = parts(layer.inputs, self.channels) if self.together == 1 else 1
        area = depth * height * width * layer.groups * blocks * self._step_bytes
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
            + parts(abs(layer.padding[axis]), layer.dilation[axis])
            + parts(abs(layer.end[axis]), layer.dilation[axis])
            for axis in (0, 1)
        )
        rows = 1 if self.rows else layer.out[1]
        return depths * min(layer.out[1], up(rows + heights, rows)) * layer.out[2]
