"""Wrong rules of pooling and of means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod

import numpy as np

from qdbg.core.arithmetic import f32, f64, i32, rne, sat32
from qdbg.core.op import Call
from qdbg.core.quantity import Array
from qdbg.core.stage import split
from qdbg.ops import _float_sums, _pool, adaptive_avg_pool, avg_pool, max_pool, mean, std
from qdbg.ops._windows import Geometry
from qdbg.selftest.faults import FIRST, FUSED, fault, stage_fault
from qdbg.selftest.faults._wrong import half_away

COMMON, QNNPACK = ("fbgemm", "x86", "onednn"), ("qnnpack",)
WINDOWS, POOLED = _pool.pool_windows, _pool.pooled


def rounded_first(acc: Array, div: Array, y_zp: Array) -> Array:
    """The zero point is added as an integer."""
    return sat32(rne(f32(f64(f32(acc)) * f32(1 / f64(div)))) + f64(y_zp))


def padded_with_zeros(image: Array, geometry: Geometry, out: tuple[int, ...], fill: int) -> Array:
    """Outside the image there are zeros, which an image of qint8 may lie below."""
    del fill
    return WINDOWS(image, geometry, out, 0)


def undilated(call: Call, x: Array, axes: int, *, dilates: bool = False) -> tuple[Array, Geometry]:
    """Neighbouring pixels in place of distant ones."""
    image, geometry = POOLED(call, x, axes, dilates=dilates)
    return image, replace(geometry, dilation=(1,) * axes)


def whole_windows(geometry: Geometry, size: tuple[int, ...], out: tuple[int, ...]) -> Array:
    """Every window is whole, even where it reaches beyond the padded image."""
    del size
    return np.full(out, int(np.prod(geometry.kernel)))


def as_they_come(
    shape: Sequence[int], strides: Sequence[int], dims: Sequence[int]
) -> tuple[Array, Array]:
    """Row by row in one sum, whatever their order in memory is."""
    del strides
    kept = [size for axis, size in enumerate(shape) if axis not in dims]
    order = np.arange(prod(shape[axis] for axis in dims))[:, None]
    return order, np.full((*kept, len(order)), _float_sums.DOWN)


def apart(size: int, out: int) -> list[tuple[int, int]]:
    """Each pixel of the image lies in one window."""
    return [(i * size // out, max(i * size // out + 1, (i + 1) * size // out)) for i in range(out)]


FAULTS = (
    stage_fault("max pooling takes the smallest", "max_pool2d", max_pool, "largest",
                lambda window: np.min(window, axis=-1)),
    fault("avg_pool2d rounds half away", "avg_pool2d", avg_pool, "rne", half_away),
    stage_fault("avg_pool2d adds the zero point after rounding", "avg_pool2d", avg_pool, "average",
                rounded_first, engines=COMMON, only=FUSED),
    fault("avg_pool2d has 8 channels in a vector", "avg_pool2d", avg_pool, "VECTOR",
          dict.fromkeys(("avx2", "avx512", "vnni"), 8), engines=COMMON, levels=("avx512", "vnni"),
          only=FUSED),
    fault("avg_pool2d has 16 channels in a vector", "avg_pool2d", avg_pool, "VECTOR",
          dict.fromkeys(("avx2", "avx512", "vnni"), 16), engines=COMMON, levels=("avx2",),
          only=FUSED),
    stage_fault("avg_pool3d forgets the zero points outside the image", "avg_pool3d", avg_pool,
                "centred_sum",
                lambda window, x_zp, n: window.astype(np.int64).sum(axis=-1)
                - x_zp * window.shape[-1]),
    stage_fault("qnnpack divides what lies in the image", "avg_pool2d", avg_pool,
                "average_qnnpack",
                lambda acc, x_scale, size, y_zp: rne(f32(f64(acc) / (f64(size) + 1))) + y_zp,
                engines=QNNPACK),
    fault("adaptive pooling takes the zero point off the sum", "adaptive_avg_pool2d",
          adaptive_avg_pool, "raw_sum", avg_pool.centred_sum, engines=COMMON),
    stage_fault("adaptive pooling divides by the size of the window", "adaptive_avg_pool2d",
                adaptive_avg_pool, "average_raw",
                lambda acc, k_d, k_h, k_w: rne(f64(acc) / (k_d * k_h * k_w)), engines=COMMON),
    fault("adaptive pooling rounds half away", "adaptive_avg_pool2d", adaptive_avg_pool, "rne",
          half_away, engines=COMMON),
    stage_fault("mean divides by one more", "mean", mean, "mean_raw",
                lambda acc, n: rne(f64(acc) / (f64(n) + 1)), engines=COMMON),
    fault("mean rounds half away", "mean", mean, "rne", half_away, engines=COMMON),
    stage_fault("std divides by the number of values", "std", std, "variance",
                lambda n, squares, total, correction: f64(n * squares - total**2) / f64(n) ** 2),
    stage_fault("std takes the zero point for a value", "std", std, "back",
                lambda y_zp, u, y_scale: rne(f64(u) / y_scale), only=FUSED),
    stage_fault("std of real values forgets the correction", "std", std, "deviation_real",
                lambda d, n, correction: f32(f64(d).std(axis=-1))),
    stage_fault("mean of real values forgets one", "mean", mean, "mean_real",
                lambda total, n: f32(f64(total) / (f64(n) + 1))),
    fault("max pooling pads with the byte 0", "max_pool2d", max_pool, "pool_windows",
          padded_with_zeros),
    fault("max pooling forgets the dilation", "max_pool2d", max_pool, "pooled", undilated),
    stage_fault("max pooling in three axes takes the first", "max_pool3d", max_pool, "largest",
                lambda window: i32(window[..., 0]), engines=COMMON),
    fault("avg_pool3d has no vectors", "avg_pool3d", avg_pool, "average_lanes",
          split("block", avg_pool.average_tail, avg_pool.average_tail), only=FUSED),
    *(fault(f"{case} adds the zero point before rounding", case, module, "ROUNDED", "",
            engines=COMMON, only=FIRST)
      for case, module in (("avg_pool2d", avg_pool), ("avg_pool3d", avg_pool),
                           ("adaptive_avg_pool2d", adaptive_avg_pool), ("std", std))),
    fault("avg_pool2d has whole windows alone", "avg_pool2d", avg_pool, "_pool_sizes",
          whole_windows),
    fault("adaptive windows do not overlap", "adaptive_avg_pool2d", adaptive_avg_pool, "_bounds",
          apart),
    fault("mean adds real values up as they come", "mean", mean, "summing", as_they_come,
          levels=("avx2",)),
    fault("mean adds real values in vectors of 16", "mean", mean, "summing",
          partial(_float_sums.summing, lanes=16), levels=("avx2",)),
    fault("mean's cascades carry twice as late", "mean", _float_sums, "SMALLEST_GROUP", 5,
          levels=("avx2",)),
    fault("mean takes the zero point off the sum", "mean", mean, "raw_sum", avg_pool.centred_sum),
    stage_fault("qnnpack's mean adds the zero point before rounding", "mean", mean,
                "average_qnnpack",
                lambda acc, x_scale, size, y_zp: rne(f32(f64(acc) / size + f64(y_zp))),
                engines=QNNPACK),
)  # fmt: skip
