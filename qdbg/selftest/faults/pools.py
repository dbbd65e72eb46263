"""Wrong rules of pooling, of means and of resizing."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64, rne, sat32
from qdbg.core.quantity import Array
from qdbg.ops import _resize, adaptive_avg_pool, avg_pool, max_pool, mean, upsample
from qdbg.selftest.faults import Fault, computing
from qdbg.selftest.faults._wrong import half_away, two_roundings

COMMON, QNNPACK = ("fbgemm", "x86", "onednn"), ("qnnpack",)
NEAREST = _resize.nearest


def fault(
    name: str, case: str, module: ModuleType, attribute: str, wrong: Any, **where: tuple[str, ...]
) -> Fault:
    """Another function in place of one that a module uses."""
    return Fault(name, case, ((module, attribute, wrong),), **where)


def stage_fault(
    name: str, case: str, module: ModuleType, attribute: str, function: Any, **where: Any
) -> Fault:
    """Another arithmetic behind one stage."""
    wrong = computing(getattr(module, attribute), function)
    return fault(name, case, module, attribute, wrong, **where)


def rounded_first(acc: Array, div: Array, y_zp: Array) -> Array:
    """The zero point is added as an integer."""
    return sat32(rne(f32(f64(f32(acc)) * f32(1 / f64(div)))) + f64(y_zp))


def always_exact(size: int, out: int, factor: float | None, *, exact: bool) -> Array:
    """Half a pixel is added for both kinds."""
    del exact
    return NEAREST(size, out, factor, exact=True)


def from_sizes(size: int, out: int, factor: float | None) -> Array:
    """The factor that was given does not count."""
    del factor
    return f32(f64(size) / f64(out))


FAULTS = (
    stage_fault("max pooling takes the smallest", "max_pool2d", max_pool, "largest",
                lambda window: np.min(window, axis=-1)),
    fault("avg_pool2d rounds half away", "avg_pool2d", avg_pool, "rne", half_away),
    stage_fault("avg_pool2d adds the zero point after rounding", "avg_pool2d", avg_pool, "average",
                rounded_first, engines=COMMON),
    fault("avg_pool2d has 8 channels in a vector", "avg_pool2d", avg_pool, "VECTOR",
          dict.fromkeys(("avx2", "avx512", "vnni"), 8), engines=COMMON, levels=("avx512", "vnni")),
    fault("avg_pool2d has 16 channels in a vector", "avg_pool2d", avg_pool, "VECTOR",
          dict.fromkeys(("avx2", "avx512", "vnni"), 16), engines=COMMON, levels=("avx2",)),
    stage_fault("avg_pool3d forgets the zero points outside the image", "avg_pool3d", avg_pool,
                "centred_sum",
                lambda window, x_zp, n: window.astype(np.int64).sum(axis=-1)
                - x_zp * window.shape[-1]),
    stage_fault("qnnpack divides what lies in the image", "avg_pool2d", avg_pool,
                "average_qnnpack",
                lambda acc, x_scale, size, y_zp: rne(f32(f64(acc) / (f64(size) + 1))) + y_zp,
                engines=QNNPACK),
    stage_fault("adaptive pooling takes the zero point off", "adaptive_avg_pool2d",
                adaptive_avg_pool, "average_raw",
                lambda acc, k_d, k_h, k_w: rne(f64(acc) / (k_d * k_h * k_w)) + 1,
                engines=COMMON),
    fault("adaptive pooling rounds half away", "adaptive_avg_pool2d", adaptive_avg_pool, "rne",
          half_away, engines=COMMON),
    stage_fault("mean divides by one more", "mean", mean, "mean_raw",
                lambda acc, n: rne(f64(acc) / (f64(n) + 1)), engines=COMMON),
    fault("mean rounds half away", "mean", mean, "rne", half_away, engines=COMMON),
    fault("nearest adds half a pixel", "upsample_nearest2d", upsample, "nearest", always_exact),
    fault("resizing finds the factor from the sizes", "upsample_nearest2d", _resize, "step",
          from_sizes),
    fault("bilinear rounds after each operation", "upsample_bilinear2d", upsample, "fma32",
          two_roundings),
    stage_fault("bilinear rounds before it adds the zero point", "upsample_bilinear2d", upsample,
                "back", lambda t, y_zp: rne(t) + y_zp),
    fault("bilinear rounds half away", "upsample_bilinear2d", upsample, "rne", half_away),
)  # fmt: skip
