"""What the axes of each call's result mean, where PyTorch gives them a meaning."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qdbg.core.program import Node
from qdbg.ops import registry

LETTERS = {3: "NCL", 4: "NCHW", 5: "NCDHW"}
IMAGES = re.compile(
    "(adaptive_avg_pool|avg_pool|max_pool|upsample_|reflection_pad|pixel_|channel_shuffle|"
    "instance_norm|group_norm)"
)
"""Ops besides those whose stages have the channels last that know batch, channels and places."""
PLACES = re.compile(r"([123])d(_|$)")
"""How many axes an op's places have, by its name."""
KEEPING = re.compile(
    "(quantize|dequantize|requantize|identity|relu6?|leaky_relu|prelu|elu|celu|gelu|sigmoid|tanh|"
    "hardsigmoid|hardswish|clamp|at_least|threshold|dropout|clone|contiguous|detach|constant_pad|"
    "cat|cat_relu|add|add_relu|add_scalar|add_scalar_relu|mul|mul_relu|mul_scalar|mul_scalar_relu)"
)
"""Ops whose result means what their operands do."""


def meanings(nodes: Sequence[Node]) -> tuple[str, ...]:
    """For each call the letters of its result's axes, `NCHW`; empty where nothing says them: the
    result of a Linear has its features last, and a permuted one is in nobody's order."""
    found = [_own(node) for node in nodes]
    for call, node in enumerate(nodes):
        if KEEPING.fullmatch(node.op):
            of = (found[i] for i in node.inputs if i >= 0)
            found[call] = next((letters for letters in of if len(letters) == len(node.shape)), "")
    for call in reversed(range(len(nodes))):
        node = nodes[call]
        source = node.inputs[0] if node.inputs else -1
        if source >= 0 and KEEPING.fullmatch(nodes[source].op) and not found[source]:
            passes_on = KEEPING.fullmatch(node.op) or _own(node)
            same = len(nodes[source].shape) == len(found[call])
            found[source] = found[call] if passes_on and same else ""
    return tuple(found)


def _own(node: Node) -> str:
    """Where the op itself gives the axes their meaning."""
    known = registry().get(node.op)
    if not IMAGES.match(node.op) and (known is None or not known.channels_last):
        return ""
    places = PLACES.search(node.op)
    if places is not None and len(node.shape) != int(places[1]) + 2:
        return ""  # without a batch
    return LETTERS.get(len(node.shape), "")
