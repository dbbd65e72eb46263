"""Places in a run, as people write them: `fc1`, `fc1.mac`, `fc1.mac[8]`, `fc1#2:linear.mac`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from qdbg.engine.trace import Trace

_PLACE = re.compile(r"(?P<spot>[^\[\]]+?)(\[(?P<element>[\d,\s]+)\])?")


@dataclass(frozen=True, slots=True)
class Place:
    """A step, and an element of it where one is named."""

    step: int
    element: int | None


def find_place(trace: Trace, text: str) -> Place | None:
    """The place that the text names, or None.

    A call is named by its full name (`fc1:linear`) or by its layer (`fc1`: the first call of that
    layer). Without a stage, its last one is meant: the layer's result.
    """
    match = _PLACE.fullmatch(text.strip())
    if match is None:
        return None
    step = _find_step(trace, match["spot"])
    if step is None or match["element"] is None:
        return None if step is None else Place(step, None)
    element = _flat(match["element"], trace.step(step).shape)
    return None if element is None else Place(step, element)


def _find_step(trace: Trace, spot: str) -> int | None:
    call = _find_call(trace, spot)
    if call is not None:
        return trace.first_steps[call + 1] - 1
    head, _, stage = spot.rpartition(".")
    call = _find_call(trace, head)
    names = [name.replace(" ", "_") for name in trace.stage_names[call]] if call is not None else []
    if call is None or stage not in names:
        return None
    return trace.first_steps[call] + names.index(stage)


def _find_call(trace: Trace, name: str) -> int | None:
    for index, node in enumerate(trace.nodes):
        if name in {node.name, node.layer or node.name}:
            return index
    return None


def _flat(text: str, shape: tuple[int, ...]) -> int | None:
    """The flat index of `8` (the last axis of a single row, or flat) or `0,8`."""
    parts = [int(part) for part in text.split(",") if part.strip()]
    size = 1
    for length in shape:
        size *= length
    if len(parts) == 1:
        return parts[0] if parts[0] < size else None
    if len(parts) != len(shape) or any(p >= n for p, n in zip(parts, shape, strict=True)):
        return None
    flat = 0
    for part, length in zip(parts, shape, strict=True):
        flat = flat * length + part
    return flat
