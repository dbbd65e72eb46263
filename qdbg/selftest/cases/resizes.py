"""Resizing of images, by a factor or to a size, up and down."""

from __future__ import annotations

from typing import Any

import torch

from qdbg.selftest.cases.pools import image
from qdbg.selftest.draw import Case, Draw

FACTORS = [0.4, 0.5, 0.7, 1.0, 1.1, 1.1, 1.3, 1.5, 1.7, 2.0, 2.0, 2.5, 3.0]


def resize(draw: Draw, axes: int, modes: list[str]) -> Case:
    """With the factor kept for the places, or found again from the sizes."""
    x = image(draw, axes, 2, most=4000)
    mode = draw.choice(modes)
    more: dict[str, Any] = {}
    if mode == "bilinear":
        more["align_corners"] = draw.chance(0.4)
    if draw.chance(0.4):
        more["size"] = [draw.integer(1, 3 * n) for n in x.shape[2:]]
    else:
        more["scale_factor"] = [float(draw.choice(FACTORS)) for _ in range(axes)]
        if draw.chance(0.3):
            more["scale_factor"] = [more["scale_factor"][0]] * axes
        more["recompute_scale_factor"] = draw.choice([None, None, True])
        least = min(f * n for f, n in zip(more["scale_factor"], x.shape[2:], strict=True))
        if least < 1:
            more["scale_factor"] = [2.0] * axes
    return Case(lambda: torch.nn.functional.interpolate(x, mode=mode, **more))


CASES = {
    "upsample_nearest2d": lambda draw: resize(draw, 2, ["nearest", "nearest-exact"]),
    "upsample_nearest3d": lambda draw: resize(draw, 3, ["nearest", "nearest-exact"]),
    "upsample_bilinear2d": lambda draw: resize(draw, 2, ["bilinear"]),
}
