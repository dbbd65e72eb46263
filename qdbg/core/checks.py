"""What a recording's file must hold, part by part; each lack is told in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qdbg.core.quantity import Array
from qdbg.errors import SessionError

WORDS = {
    "input": "the recorded input's numbers",
    "value": "the recorded integers of {}",
    "weight": "the weights of {}",
    "bias": "the biases of {}",
    "scale": "the scales of {}",
    "zero_point": "the zero points of {}",
    "constant": "the numbers of constant {}",
    "parameter": "the numbers of {}",
}


def describe(key: str) -> str:
    """A tensor's name in words: `the recorded integers of fc1:linear`."""
    part, _, rest = key.partition("/")
    if part not in WORDS:
        return f"the numbers of {key}"
    owner = rest.partition("/")[2] if part in {"scale", "zero_point"} else rest
    return WORDS[part].format(owner or "the model itself")


def check(holds: object, otherwise: str) -> None:
    """Raise SessionError, saying what is wrong, unless it holds."""
    if not holds:
        raise SessionError(
            f"the recording is not one that qdbg made: {otherwise}",
            remedy="record it again from the model",
        )


def tensor_in(tensors: Mapping[str, Array], key: str) -> Array:
    """The tensor of that name. Raises SessionError."""
    check(key in tensors, f"{describe(key)} are missing")
    return tensors[key]


def mapping_in(entry: object) -> Mapping[str, Any]:
    """A part that is a mapping. Raises SessionError."""
    check(isinstance(entry, dict), "a part of its description has another form")
    return entry if isinstance(entry, dict) else {}


def list_in(entry: Mapping[str, object], key: str) -> list[Mapping[str, Any]]:
    """A part that is a list of mappings. Raises SessionError."""
    found = entry.get(key)
    check(isinstance(found, list), f"its {key} are missing")
    return [mapping_in(item) for item in found] if isinstance(found, list) else []


def text_in(entry: Mapping[str, Any], key: str) -> str:
    """A part that is text. Raises SessionError."""
    found = entry.get(key)
    check(isinstance(found, str), f"its {key} is missing")
    return str(found)


def integers_in(entry: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """A part that is a list of whole numbers. Raises SessionError."""
    found = entry.get(key)
    whole = isinstance(found, list) and all(type(item) is int for item in found)
    check(whole, f"its {key} are not whole numbers")
    return tuple(found or ())
