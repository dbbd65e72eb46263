"""How much memory oneDNN's kernels for convolutions ask for: one that wants too much for so small a
layer leaves it to the next, whose arithmetic is another.

Facts of oneDNN 3.12, which torch 2.13 holds, confirmed near the limits by what the library says of
itself: 3.11 gives some of these layers another kernel. They decide only for convolutions of groups:
other layers have a kernel to spare.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qdbg.ops._onednn_copies import Copies
from qdbg.ops._onednn_layer import INT, LANES, Layer, booked, parts, up

VERSION = "3.12"
BLOCKS, GEMM, PLAIN = "onednn-conv", "onednn-conv-gemm", "onednn-conv-plain"
"""The ways back of its kernels, in the order in which it tries them."""
LINE, MOST_BLOCKS = 128, 4
BLOCKS_LIMIT, GEMM_LIMIT = 64, 15
"""How many times the memory of input, weights and result a kernel may ask for."""
NARROW = (
    "PyTorch's result is not reliable: oneDNN reads foreign memory where it copies the pixels of"
    " single channels together and the result is one pixel wide and several high"
)
DEEP = (
    "PyTorch's result is wrong: oneDNN copies the pixels of single channels together over the width"
    " of the kernel, and leaves out its depth"
)


def kernels(
    layer: Layer, vbmi: bool | None, threads: int, version: str = VERSION
) -> tuple[str, ...]:
    """Which of its kernels may compute a convolution of groups, the most likely one first.

    `vbmi` tells whether the processor has VBMI, None that it is not known: with it the
    kernel for blocks of windows copies the pixels of single channels together, and needs memory
    for that. With more than one thread, and in another version, the limits are looser.
    """
    depthwise = layer.inputs == layer.outputs == 1
    fits = () if depthwise else tuple(_blocks_fit(layer, vbmi))
    if fits and all(fits):
        return (BLOCKS,)
    sure = threads == 1 and version == VERSION and not any(fits)
    room = gemm_fits(layer)
    if sure:
        return (GEMM,) if room else (PLAIN,)
    return (BLOCKS, GEMM) if room else (BLOCKS, GEMM, PLAIN)


def _blocks_fit(layer: Layer, vbmi: bool | None) -> Iterator[bool]:
    """For each processor and each number of channels at once: whether that kernel takes it."""
    for has in (True, False) if vbmi is None else (vbmi,):
        copies = None if layer.pointwise else Copies.of(layer, vbmi=has)
        if copies is None:
            yield True
            continue
        for blocks in range(1, min(MOST_BLOCKS, parts(layer.outputs, LANES)) + 1):
            block = blocks * LANES
            limit = BLOCKS_LIMIT * (layer.images_bytes + copies.weights(block))
            yield copies.wanted(block) <= limit


def fault(layer: Layer, vbmi: bool | None, version: str = VERSION) -> str:
    """Why PyTorch's result cannot be relied on; empty where it can. Measured: in all layers of
    these kinds some results are wrong, and in none of the others. In another version than the
    limits are known of, the kernel may have taken any of them."""
    copies = None if vbmi is False else Copies.of(layer, vbmi=True)
    depthwise = layer.groups > 1 and layer.inputs == layer.outputs == 1
    if copies is None or not copies.columns or depthwise:
        return ""
    if version == VERSION and not any(_blocks_fit(layer, vbmi)):
        return ""
    if layer.kernel[0] > 1:
        return DEEP
    _, high, wide = layer.out
    one_wide = wide == 1 and high > 1 and layer.stride[2] > 1
    return NARROW if one_wide and copies.flat else ""


def gemm_fits(layer: Layer) -> bool:
    """Whether the GEMM takes the layer."""
    if layer.adds:
        return False
    channels = layer.groups * layer.outputs
    plane = layer.out[1] * layer.out[2]
    copied = layer.taps > 1 or layer.size != layer.out or max(layer.stride) > 1
    sums = up(channels, LANES) * INT if layer.shifted else 0
    buffers = (
        layer.inputs * layer.taps * plane if copied else 0,
        plane * layer.outputs * INT,
        layer.inputs * int(np.prod(layer.size)),
        layer.scales * INT,
        sums,
    )
    weights = channels * layer.inputs * layer.taps + (channels * INT if layer.shifted else 0)
    limit = GEMM_LIMIT * (layer.images_bytes + weights + sums)
    return sum(booked(size, LINE) for size in buffers) <= limit
