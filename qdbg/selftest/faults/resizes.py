"""Wrong rules of resizing."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64, i64, rne
from qdbg.core.op import Call
from qdbg.core.quantity import Array
from qdbg.core.stage import split
from qdbg.ops import _resize, upsample
from qdbg.ops._moves import Mover
from qdbg.selftest.faults import FIRST, FUSED, Fault, computing
from qdbg.selftest.faults._wrong import half_away, two_roundings

NEAREST, BETWEEN, FACTORS, STEP = (
    _resize.nearest,
    _resize.between,
    _resize.factors,
    _resize.step,
)
TO_NEAREST, BILINEAR = "upsample_nearest2d", "upsample_bilinear2d"


def fault(
    name: str, case: str, module: ModuleType, attribute: str, wrong: Any, **where: Any
) -> Fault:
    """Another function in place of one that a module uses."""
    return Fault(name, case, ((module, attribute, wrong),), **where)


def always_exact(size: int, out: int, factor: float | None, *, exact: bool) -> Array:
    """Half a pixel is added for both kinds."""
    del exact
    return NEAREST(size, out, factor, exact=True)


def never_exact(size: int, out: int, factor: float | None, *, exact: bool) -> Array:
    """Half a pixel is added for neither kind."""
    del exact
    return NEAREST(size, out, factor, exact=False)


def rounded(size: int, out: int, factor: float | None, *, exact: bool) -> Array:
    """The place is rounded to the nearest pixel, not downwards."""
    at = f64(np.arange(out)) + (0.5 if exact else 0.0)
    found = i64(rne(f32(at * f64(STEP(size, out, factor)))))
    return np.where(found < size - 1, found, size - 1)


def in_integers(size: int, out: int, factor: float | None, *, exact: bool) -> Array:
    """Places are found without rounding, from the sizes alone."""
    del factor
    twice = 2 * np.arange(out) + exact
    return np.asarray(twice * size // (2 * out))


def from_sizes(size: int, out: int, factor: float | None) -> Array:
    """The factor that was given does not count."""
    del factor
    return f32(f64(size) / f64(out))


def swapped_factors(call: Call, axes: int) -> list[float | None]:
    """Each axis has the factor of another one."""
    return FACTORS(call, axes)[::-1]


def never_copied(axes: int, exact: bool) -> Mover:
    """The factors count even where the size stays."""

    def move(x: Array, call: Call) -> Array:
        sizes, out = x.shape[-axes:], call.node.shape[-axes:]
        for axis, (size, n, factor) in enumerate(zip(sizes, out, FACTORS(call, axes), strict=True)):
            x = np.take(x, NEAREST(size, n, factor, exact=exact), axis - axes)
        return x

    return move


def _between(**changes: Any) -> Any:
    def between(
        size: int, out: int, factor: float | None, **settings: Any
    ) -> tuple[Array, Array, Array, Array]:
        return BETWEEN(size, out, factor, **(settings | changes))

    return between


def other_weight(
    size: int, out: int, factor: float | None, **settings: Any
) -> tuple[Array, Array, Array, Array]:
    """The first pixel has the weight of the second."""
    first, second, before, after = BETWEEN(size, out, factor, **settings)
    return first, second, after, before


FAULTS = (
    fault("nearest adds half a pixel", TO_NEAREST, upsample, "nearest", always_exact),
    fault("nearest exact adds nothing", TO_NEAREST, upsample, "nearest", never_exact),
    fault("nearest rounds the place", TO_NEAREST, upsample, "nearest", rounded),
    fault("nearest finds places in integers", TO_NEAREST, upsample, "nearest", in_integers),
    fault("nearest takes the factor where the size stays", TO_NEAREST, upsample, "nearest_pixels",
          never_copied),
    fault("resizing swaps the factors", TO_NEAREST, upsample, "factors", swapped_factors),
    fault("resizing in three axes swaps the factors", "upsample_nearest3d", upsample, "factors",
          swapped_factors),
    fault("resizing finds the factor from the sizes", TO_NEAREST, _resize, "step", from_sizes),
    fault("bilinear ignores align_corners", BILINEAR, upsample, "between", _between(corners=False)),
    fault("bilinear takes half a pixel off in two operations", BILINEAR, upsample, "between",
          _between(fused=False)),
    fault("bilinear swaps the weights", BILINEAR, upsample, "between", other_weight),
    fault("bilinear rounds after each operation", BILINEAR, upsample, "fma32", two_roundings),
    fault("bilinear rounds before it adds the zero point", BILINEAR, upsample, "back",
          computing(upsample.back, lambda t, y_zp: rne(t) + y_zp), only=FUSED),
    fault("bilinear adds the zero point before rounding", BILINEAR, upsample, "ROUNDED", "",
          only=FIRST),
    fault("bilinear rounds half away", BILINEAR, upsample, "rne", half_away),
    fault("bilinear has 16 channels in a vector", BILINEAR, upsample, "VECTOR", 16),
    fault("bilinear's last channels are a whole vector", BILINEAR, upsample, "blend_lanes",
          split("block", upsample.blend_block, upsample.blend_block)),
)  # fmt: skip
