"""Small things that every screen uses."""

from __future__ import annotations

from textual.content import Content

Part = str | Content | tuple[str, str]
"""Plain text, styled text, or a text with its style."""


def join(*parts: Part) -> Content:
    """One text of styled parts; brackets in formulas stay as they are."""
    return Content.assemble(*parts)
