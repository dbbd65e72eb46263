"""Words that go with numbers."""

from __future__ import annotations


def counted(number: int, one: str, more: str = "") -> str:
    """`1 call`, `2 calls`; `more` is the word for several where an s does not make it."""
    return f"{number} {one if number == 1 else more or one + 's'}"
