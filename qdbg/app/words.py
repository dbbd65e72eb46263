"""Texts: of which only the lines that change are drawn again, in a place that they may overflow."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from textual.content import Content
from textual.events import Resize
from textual.geometry import Size
from textual.selection import Selection
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from qdbg.app.framed import Framed, Segments
from qdbg.app.pen import Line, Pen
from qdbg.app.scrolling import Scrolled


class Words(Framed):
    """A text; without a height of its own it is as high as that."""

    DEFAULT_CSS = "Words { height: auto; }"

    def __init__(self, content: Content | str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.set_reactive(Widget.auto_links, False)
        self._content = Content(content) if isinstance(content, str) else content
        self._pen: Pen | None = None
        self._lines: list[Line] | None = None
        """The text as it is drawn; None before it is seen, and for another look."""
        self._room, self._width = Size(0, 0), 0
        """What its text was cut into lines for, and how wide they may be."""
        self._selected = False
        """Whether the mouse has selected any of it."""

    def say(self, content: Content | str) -> None:
        """Show a text."""
        content = Content(content) if isinstance(content, str) else content
        if self._content.is_same(content):
            return
        before, self._content = self._lines, content
        self._lines = self._cut() if self.size else None
        grows = self.styles.height is not None and self.styles.height.is_auto
        if before is None or self._lines is None:
            self.refresh(layout=grows)
            return
        changed = self.lines_at(self._changed(before, self._lines))
        grown = grows and len(before) != len(self._lines)
        if changed or grown:
            self.refresh(*changed, layout=grown)

    def _changed(self, before: list[Line], lines: list[Line]) -> Iterable[int]:
        """Which lines of the content are others than before."""
        pairs = zip_longest(before, lines)
        return (y for y, (old, new) in enumerate(pairs) if old != new)

    @property
    def lines(self) -> list[Line]:
        """The text as it is drawn."""
        if self._lines is None or self._room != self.size:
            self._lines = self._cut()
        return self._lines

    def _cut(self) -> list[Line]:
        self._room = self.size
        return self._wrapped(self._room.width)

    def _wrapped(self, width: int) -> list[Line]:
        self._width = width
        return self.pen.lines(self._content, width)

    @property
    def pen(self) -> Pen:
        """What it is drawn with."""
        if self._pen is None:
            self._pen = Pen(self)
        return self._pen

    def draw_line(self, y: int) -> Segments:
        """A line of the text."""
        if self._selected:
            return list(self._by_content(y))
        return self.pen.draw(self.lines[y]) if y < len(self.lines) else []

    def render(self) -> Content:
        """The text, for its height and for what the mouse selects of it."""
        return self._content

    def render_line(self, y: int) -> Strip:
        """A line for the mouse: with what it has selected, and which letters are where."""
        return self._by_content(y)

    def _by_content(self, y: int) -> Strip:
        if y >= len(self.lines):
            return Strip.blank(self.size.width, self.visual_style.rich_style)
        return Visual.to_strips(self, self._content, self._width, None, self.visual_style)[y]

    def notify_style_update(self) -> None:
        """Another theme, or another look of this text."""
        super().notify_style_update()
        self._pen = self._lines = None

    def selection_updated(self, selection: Selection | None) -> None:
        """What the mouse selects looks different."""
        self._selected = selection is not None
        super().selection_updated(selection)


class Panel(Scrolled, Words):
    """A text that scrolls where it is longer than its frame."""

    def show(self, content: Content, upto: Content | None = None) -> None:
        """Show another text, scrolled so that the end of its first part `upto` is in view."""
        self.say(content)
        if upto is not None and self.size:
            line = len(self.pen.lines(upto, self._width))
            self.see_from(line - self.room + 1)
        else:
            self.see_from(self.top)

    @property
    def length(self) -> int:
        """The lines of the text."""
        return len(self.lines)

    def _changed(self, before: list[Line], lines: list[Line]) -> Iterable[int]:
        if len(before) != len(lines) and max(len(before), len(lines)) > self.room:
            return range(self.room)  # the bar is another one
        return (y - self.top for y in super()._changed(before, lines))

    def _cut(self) -> list[Line]:
        lines = super()._cut()
        return lines if len(lines) <= self._room.height else self._wrapped(self._room.width - 1)

    def draw_line(self, y: int) -> Segments:
        """A line of the text, with the bar beside it."""
        return self.beside_bar(super().draw_line(self.top + y), y)

    def render_line(self, y: int) -> Strip:
        """A line for the mouse."""
        return super().render_line(self.top + y)

    def on_resize(self, event: Resize) -> None:
        """No room stays empty."""
        del event
        self.see_from(self.top)
