"""Small things that every screen uses."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from textual.content import Content

Part = str | Content | tuple[str, str]
"""Plain text, styled text, or a text with its style."""


def join(*parts: Part) -> Content:
    """One text of styled parts; brackets in formulas stay as they are."""
    return Content.assemble(*parts)


def fitted(text: str, width: int) -> str:
    """The text, cut with an ellipsis where it is longer."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def shortened(text: str, width: int) -> str:
    """The same; of `1:conv_transpose2d[0,3]` the name is cut, and not the element."""
    name, bracket, element = text.rpartition("[")
    room = width - cell_len(element) - 1
    if cell_len(text) <= width or not (bracket and text.endswith("]")) or room <= 1:
        return fitted(text, width)
    return f"{fitted(name, room)}[{element}"


def tail(text: str, width: int) -> str:
    """The end of a text that is too long: a value's latest ones, the layer that a path leads to."""
    return text if len(text) <= width else f"…{text[len(text) - width + 1 :]}"


def fitting(width: int, first: Content, *others: Content) -> Content:
    """The first text, and of the others as many whole ones as fit behind it."""
    for other in others:
        if first.cell_length + other.cell_length <= width:
            first += other
    return first
