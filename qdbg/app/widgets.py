"""Small things that every screen uses."""

from __future__ import annotations

from textual.content import Content
from textual.markup import escape
from textual.widget import Widget

Part = str | Content | tuple[str, str]
"""Plain text, styled text, or a text with its style."""


def join(*parts: Part) -> Content:
    """One text of styled parts; brackets in formulas stay as they are."""
    return Content.assemble(*parts)


def title(widget: Widget, text: str, below: str = "") -> None:
    """Put words into a widget's frame; brackets in them are no markup."""
    widget.border_title = escape(text)
    widget.border_subtitle = escape(below)
