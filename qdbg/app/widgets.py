"""Small things that every screen uses."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.markup import escape
from textual.widget import Widget
from textual.widgets import Static

Part = str | Content | tuple[str, str]
"""Plain text, styled text, or a text with its style."""


def join(*parts: Part) -> Content:
    """One text of styled parts; brackets in formulas stay as they are."""
    return Content.assemble(*parts)


def fitted(text: str, width: int) -> str:
    """The text, cut with an ellipsis where it is longer."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"


def fitting(width: int, first: Content, *others: Content) -> Content:
    """The first text, and of the others as many whole ones as fit behind it."""
    for other in others:
        if first.cell_length + other.cell_length <= width:
            first += other
    return first


def title(widget: Widget, text: str, below: str = "") -> None:
    """Put words into a widget's frame; brackets in them are no markup."""
    widget.border_title = escape(text)
    widget.border_subtitle = escape(below)


class Panel(VerticalScroll, can_focus=False):
    """A text that scrolls where it is longer than its frame.

    It keeps the height of the longest text shown so far: a layout of the whole screen for each
    step would be most of a key's delay.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._wrapped = (0, 0)
        """The width that the text was wrapped for, and its greatest height there."""

    def compose(self) -> ComposeResult:
        """The text."""
        yield Static(markup=False)

    def show(self, content: Content, upto: Content | None = None) -> None:
        """Show another text, scrolled so that the end of its first part `upto` is in view."""
        text = self.query_one(Static)
        width = self.scrollable_content_region.width
        if width:
            needed = content.get_height({}, width)
            before, height = self._wrapped
            if width != before or needed > height:
                self._wrapped = (width, needed)
                text.styles.height = needed
        text.update(content, layout=False)
        if upto is not None and width:
            line = upto.get_height({}, width)
            self.scroll_to(y=max(0, line - self.size.height + 1), animate=False)
