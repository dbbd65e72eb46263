"""Where in the input the positions of a convolution's kernel lie."""

from __future__ import annotations

from typing import TypeAlias

from qdbg.core.stage import Values

Line: TypeAlias = tuple[int | None, ...]
"""Along one axis: for each position of the kernel the place in the input; below 0 and from the
input's length on it is outside. None where a transposed convolution has no pixel: between two."""
PADDING, NO_PIXEL = "padding", "no pixel"


def positions(values: Values, index: tuple[int, ...]) -> list[Line]:
    """Depths, rows and columns behind the element: as many lines as the kernel has axes."""
    names = ("stride", "padding", "kernel_size", "dilation")
    axes = zip(index[1:-1], *(map(int, values[name]) for name in names), strict=True)
    along = _spread if is_transposed(values) else _moved
    return [along(int(out), *numbers) for out, *numbers in axes]


def is_transposed(values: Values) -> bool:
    """Whether each input reaches several outputs, and not each output takes several inputs."""
    return bool(values["transposed"])


def outside(values: Values) -> str:
    """What stands where the kernel meets no pixel."""
    return NO_PIXEL if is_transposed(values) else PADDING


def _moved(out: int, stride: int, padding: int, kernel: int, dilation: int) -> Line:
    return tuple(out * stride - padding + tap * dilation for tap in range(kernel))


def _spread(out: int, stride: int, padding: int, kernel: int, dilation: int) -> Line:
    reached = (divmod(out + padding - tap * dilation, stride) for tap in range(kernel))
    return tuple(None if rest else place for place, rest in reached)
