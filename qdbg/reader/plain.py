"""Texts from a file that nobody has vouched for, made fit for a terminal."""

from __future__ import annotations

LONGEST = 200
"""No line of a message is longer than twice this."""


def plain(text: str, longest: int = 2 * LONGEST) -> str:
    """The text with every control character and lone surrogate escaped, and cut to a length."""
    start = text[:longest]
    if not start.isprintable():
        start = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in start)[:longest]
    return f"{start}…" if len(text) > longest else start


def showable(text: str) -> bool:
    """Whether the text can stand on the screen as it is."""
    return text.isprintable() and 0 < len(text) <= LONGEST
