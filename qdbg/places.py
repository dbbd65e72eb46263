"""Places in a run, as people write them: `fc1`, `fc1.mac`, `fc1.mac[8]`, `fc1#2:linear.mac`.

An element is a number; or one number per axis as the table shows them, `conv1[0,3,4,12]`; or in
another order behind its letters, PyTorch's say: `conv1[nchw 0,12,3,4]`; or by name, `conv1[c=12]`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import prod

import numpy as np

from qdbg.core.program import Node
from qdbg.engine.browse import Axes, axes_of
from qdbg.engine.step import Step
from qdbg.engine.trace import Trace

NAMED = 12
"""So many calls are named where a place does not exist."""
_PLACE = re.compile(r"(?P<spot>[^\[\]]+?)(\[(?P<element>[\w=,\s]+)\])?")
_NUMBERS = re.compile(
    r"((?P<letters>[a-z]+)\s)?\s*(?P<numbers>\d{1,18}(\s*,\s*\d{1,18})*)\s*,?\s*", re.ASCII
)
_NAMED = re.compile(r"\s*([a-z])\s*=\s*(\d{1,18})\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A step, and an element of it where one is named."""

    step: int
    element: int | None


def find_place(trace: Trace, text: str, here: int = 0) -> Place | None:
    """The place that the text names, or None.

    A call is named by its full name (`fc1:linear`) or by its layer (`fc1`: the first call of that
    layer). Without a stage, its last one is meant: the layer's result. Axes that are not named are
    those of the element `here`.
    """
    match = _PLACE.fullmatch(text.strip())
    if match is None:
        return None
    step = _find_step(trace, match["spot"])
    if step is None or match["element"] is None:
        return None if step is None else Place(step, None)
    element = _element(match["element"], trace.step(step), here)
    return None if element is None else Place(step, element)


def _find_step(trace: Trace, spot: str) -> int | None:
    call = find_call(trace, spot)
    if call is not None:
        return trace.first_steps[call + 1] - 1
    head, _, stage = spot.rpartition(".")
    call = find_call(trace, head)
    names = [name.replace(" ", "_") for name in trace.stage_names[call]] if call is not None else []
    if call is None or stage not in names:
        return None
    return trace.first_steps[call] + names.index(stage)


def find_call(trace: Trace, name: str) -> int | None:
    """The first call of that full name or of that layer, or None."""
    for index, node in enumerate(trace.nodes):
        if name in {node.name, node.layer or node.name}:
            return index
    return None


def own_names(nodes: Sequence[Node]) -> list[str]:
    """Of each call: the layer's name where the layer has no other call, else the full one. An
    LSTM's name reads as its result, not as that of its first linear part."""
    layers = Counter(node.layer or node.name for node in nodes)
    return [node.layer if node.layer and layers[node.layer] == 1 else node.name for node in nodes]


def named(trace: Trace, like: str = "") -> list[str]:
    """A name for each call, as it can be typed. Of many only those most `like` a text, in the
    order of the run, and how many are left out."""
    names = own_names(trace.nodes)
    if len(names) <= NAMED:
        return names
    near = set(get_close_matches(like, names, NAMED, cutoff=0))
    return [*(name for name in names if name in near), f"and {len(names) - len(near)} more"]


def _element(text: str, step: Step, here: int) -> int | None:
    """The flat index of `8` (the last axis of a single row, or flat), `0,8`, `cn 8,0` or `c=8`."""
    axes = axes_of(step)
    found = _NUMBERS.fullmatch(text)
    if found is None:
        return _named(text.split(","), axes, here)
    numbers = [int(part) for part in found["numbers"].split(",")]
    letters = found["letters"]
    if letters is None and len(numbers) == 1:
        return numbers[0] if numbers[0] < step.size else None
    if letters is None and len(numbers) != len(axes.letters) and not step.moved:
        return _in_result(numbers, step)
    order = tuple(letters) if letters is not None else axes.letters
    if len(numbers) != len(order) or sorted(order) != sorted(axes.letters):
        return None
    return _at(dict(zip(order, numbers, strict=True)), axes)


def _in_result(numbers: list[int], step: Step) -> int | None:
    """The element at PyTorch's own index, where the stage has fewer or more axes than the result:
    those of a layer that takes rows of any kind."""
    shape = step.node.shape
    fits = len(numbers) == len(shape) and all(map(int.__lt__, numbers, shape))
    if not fits or prod(shape) != step.size:
        return None
    return int(np.ravel_multi_index(numbers, shape))


def _named(parts: list[str], axes: Axes, here: int) -> int | None:
    """The element at `c=12, h=3`, given in any order."""
    found = [_NAMED.fullmatch(part) for part in parts if part.strip()]
    places = {match[1]: int(match[2]) for match in found if match is not None}
    if len(places) != len(found) or not places or not places.keys() <= set(axes.letters):
        return None
    return _at({**axes.placed(min(here, axes.size(axes.all) - 1)), **places}, axes)


def _at(places: Mapping[str, int], axes: Axes) -> int | None:
    index = tuple(places[letter] for letter in axes.letters)
    if any(place >= length for place, length in zip(index, axes.shape, strict=True)):
        return None
    return axes.element(index)
