"""The weights of a file by the layer, or the part of a layer, that has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from qdbg.core.program import Layer
from qdbg.core.quantity import Array, QTensor

OF_INPUT, OF_STATE = "weight_ih", "weight_hh"
"""How the weights of a recurrent layer's parts begin: `weight_ih_l0`."""


def with_parts(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers, and behind a recurrent one its linear parts, whose weights are its own:
    `lstm:ih_l0`, `lstm:hh_l0`."""
    return tuple(each for layer in layers for each in (layer, *_parts(layer)))


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The table of an embedding."""

    bits: int
    """8, or 4: then a byte of the file holds two numbers."""
    shape: tuple[int, int]
    """Rows, and numbers in each."""
    scale: Array
    """float32, one of each row."""


def rows_of(layer: Layer) -> Rows | None:
    """The table that an embedding looks its rows up in; None of other layers."""
    held, scale = (layer.parameters.get(name) for name in ("weight_q", "weight_scale"))
    if not isinstance(held, np.ndarray) or not isinstance(scale, np.ndarray) or not scale.size:
        return None
    rows, width = held.shape
    numbers = layer.settings.get("embedding_dim")
    columns = numbers if isinstance(numbers, int) and numbers > 0 else width
    return Rows(8 * width // columns, (rows, columns), scale)


def _parts(layer: Layer) -> Iterator[Layer]:
    names = [name for name in layer.parameters if name.startswith((OF_INPUT, OF_STATE))]
    for name in sorted(names, key=lambda name: (name[len(OF_INPUT) :], name.startswith(OF_STATE))):
        weight = layer.parameters[name]
        if isinstance(weight, QTensor):
            yield Layer(f"{layer.path}:{name.removeprefix('weight_')}", "Linear", weight)
