"""Small things that every screen uses."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region, Size
from textual.markup import escape
from textual.selection import Selection
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

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
    """Put words into a widget's frame; brackets in them are no markup.

    Words that stand there already are left alone: setting them draws the whole widget again.
    """
    above, under = escape(text), escape(below)
    if widget.border_title != above:
        widget.border_title = above
    if (widget.border_subtitle or "") != under:
        widget.border_subtitle = under


class Words(Widget):
    """A text of which only the lines that change are drawn again.

    Without a height of its own it is as high as its text.
    """

    DEFAULT_CSS = "Words { height: auto; }"

    def __init__(self, content: Content | str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._content = Content(content) if isinstance(content, str) else content
        self._lines: list[Strip] | None = None
        """As drawn for `_room`; None before that, and for another look."""
        self._room = Size(0, 0)

    def say(self, content: Content | str) -> int:
        """Show a text; gives how many lines it is, 0 while there is no room."""
        content = Content(content) if isinstance(content, str) else content
        same = self._content.is_same(content) and self._room == self.size
        if self._lines is not None and same:
            return len(self._lines)
        before, self._content = self._lines, content
        self._lines = self._drawn() if self.size else None
        if before is None or self._lines is None or len(before) != len(self._lines):
            height = self.styles.height
            self.refresh(layout=height is not None and height.is_auto)
        else:
            pairs = enumerate(zip(before, self._lines, strict=True))
            changed = [Region(0, y, self.size.width, 1) for y, (old, new) in pairs if old != new]
            if changed:
                self.refresh(*changed)
        return len(self._lines or ())

    def render(self) -> Content:
        """The text, for its height and for what the mouse selects of it."""
        return self._content

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        if self._lines is None or self._room != self.size:
            self._lines = self._drawn()
        blank = Strip.blank(self.size.width, self.visual_style.rich_style)
        return self._lines[y] if y < len(self._lines) else blank

    def _drawn(self) -> list[Strip]:
        self._room = self.size
        return Visual.to_strips(self, self._content, self.size.width, None, self.visual_style)

    def notify_style_update(self) -> None:
        """Another theme, or another look of this text."""
        super().notify_style_update()
        self._lines = None

    def selection_updated(self, selection: Selection | None) -> None:
        """What the mouse selects looks different."""
        self._lines = None
        super().selection_updated(selection)


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
        yield Words()

    def show(self, content: Content, upto: Content | None = None) -> None:
        """Show another text, scrolled so that the end of its first part `upto` is in view."""
        text = self.query_one(Words)
        width = self.scrollable_content_region.width
        height = text.say(content)
        if width != self._wrapped[0] or height > self._wrapped[1]:
            self._wrapped = (width, height)
            text.styles.height = height or "auto"
        if upto is not None and width:
            line = upto.get_height({}, width)
            self.scroll_to(y=max(0, line - self.size.height + 1), animate=False)
