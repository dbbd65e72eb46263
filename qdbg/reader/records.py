"""What a pickle describes, as inert records: nothing in them was looked up or called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Name:
    """Something the file names, never looked up."""

    text: str


@dataclass(slots=True, eq=False)
class Record:
    """An object of a class that the file names, with the state it was given."""

    class_name: str
    state: Any = None
    built: bool = False
    imports: str = ""
    """Of an FX model: the import statements that its forward needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One of the calls that the decoder understands, with its arguments."""

    name: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Storage:
    """A member of the archive that holds numbers."""

    kind: str
    """`FloatStorage`, `CharStorage`, `QInt8Storage` …"""
    key: str
    numel: int
