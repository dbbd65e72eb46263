"""Messages between qdbg and the process that runs the user's functions: no pickle.

Each is eight bytes of length and then arrays with plain data, in the format of sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, TypeAlias

from qdbg.core.container import decode, encode
from qdbg.core.quantity import Array

LENGTH = 8
"""Bytes that say how long a message is."""
HEADERS = 2**20
"""What a message may be longer than its arrays."""
Message: TypeAlias = tuple[dict[str, Array], dict[str, object]]


class TooLong(Exception):
    """A message longer than what was asked for could be."""


def packed(arrays: Mapping[str, Array], plain: Mapping[str, object]) -> bytes:
    """One message."""
    data = encode(arrays, plain)
    return len(data).to_bytes(LENGTH, "little") + data


def receive(stream: IO[bytes], most: int) -> Message | None:
    """The next message, None at the end. Raises TooLong, or SessionError for what is no message."""
    head = stream.read(LENGTH)
    if len(head) < LENGTH:
        return None
    size = int.from_bytes(head, "little")
    if size > most:
        raise TooLong(f"{size} bytes")
    data = stream.read(size)
    return decode(data, "the message") if len(data) == size else None
