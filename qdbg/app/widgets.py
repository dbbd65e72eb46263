"""Small things that every screen uses."""

from __future__ import annotations

from typing import Self

from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.geometry import Region, Size
from textual.markup import escape
from textual.widget import Widget

Part = str | Content | tuple[str, str]
"""Plain text, styled text, or a text with its style."""


def join(*parts: Part) -> Content:
    """One text of styled parts; brackets in formulas stay as they are."""
    return Content.assemble(*parts)


def fitted(text: str, width: int) -> str:
    """The text, cut with an ellipsis where it is longer."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def tail(text: str, width: int) -> str:
    """The end of a text that is too long: a value's latest ones, the layer that a path leads to."""
    return text if len(text) <= width else f"…{text[len(text) - width + 1 :]}"


def fitting(width: int, first: Content, *others: Content) -> Content:
    """The first text, and of the others as many whole ones as fit behind it."""
    for other in others:
        if first.cell_length + other.cell_length <= width:
            first += other
    return first


class Framed(Widget):
    """A widget of which only the frame is drawn again where words in it change."""

    _naming = False

    @property
    def size(self) -> Size:
        """Without the frame, as for every widget; but not looked up on the screen each time."""
        return self.outer_size - self.styles.gutter.totals

    def name_frame(self, above: str, below: str = "") -> None:
        """Put words into the frame; brackets in them are no markup."""
        changed = []
        left, up, (width, height) = -self.gutter.left, -self.gutter.top, self.outer_size
        self._naming = self.is_mounted
        if (self.border_title or "") != escape(above):
            self.border_title = escape(above)
            changed.append(Region(left, up, width, 1))
        if (self.border_subtitle or "") != escape(below):
            self.border_subtitle = escape(below)
            changed.append(Region(left, up + height - 1, width, 1))
        self._naming = False
        if changed:
            self.refresh(*changed)

    def refresh(
        self,
        *regions: Region,
        repaint: bool = True,
        layout: bool = False,
        recompose: bool = False,
    ) -> Self:
        """Draw again; not all of it for the words in the frame."""
        if self._naming:
            return self
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


def title(widget: Widget, text: str, below: str = "") -> None:
    """Put words into a widget's frame; brackets in them are no markup."""
    if isinstance(widget, Framed):
        widget.name_frame(text, below)
        return
    widget.border_title = escape(text)
    widget.border_subtitle = escape(below)
