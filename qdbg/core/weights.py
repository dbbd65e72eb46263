"""The weights of a file by the layer, or the part of a layer, that has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qdbg.core.program import Layer
from qdbg.core.quantity import QTensor

OF_INPUT, OF_STATE = "weight_ih", "weight_hh"
"""How the weights of a recurrent layer's parts begin: `weight_ih_l0`."""


def with_parts(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers, and behind a recurrent one its linear parts, whose weights are its own:
    `lstm:ih_l0`, `lstm:hh_l0`."""
    return tuple(each for layer in layers for each in (layer, *_parts(layer)))


def _parts(layer: Layer) -> Iterator[Layer]:
    names = [name for name in layer.parameters if name.startswith((OF_INPUT, OF_STATE))]
    for name in sorted(names, key=lambda name: (name[len(OF_INPUT) :], name.startswith(OF_STATE))):
        weight = layer.parameters[name]
        if isinstance(weight, QTensor):
            yield Layer(f"{layer.path}:{name.removeprefix('weight_')}", "Linear", weight)
