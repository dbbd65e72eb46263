"""Texts: of which only the lines that change are drawn again, in a place that they may overflow."""

from __future__ import annotations

from itertools import zip_longest

from textual.content import Content
from textual.events import Resize
from textual.geometry import Region, Size
from textual.selection import Selection
from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from qdbg.app.scrolling import Scrolled
from qdbg.app.widgets import Framed


class Words(Framed):
    """A text; without a height of its own it is as high as that."""

    DEFAULT_CSS = "Words { height: auto; }"

    def __init__(self, content: Content | str = "", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.set_reactive(Widget.auto_links, False)
        self._content = Content(content) if isinstance(content, str) else content
        self._drawn: list[Strip] | None = None
        """Its lines; None before they are seen, and for another look."""
        self._room = Size(0, 0)
        """What they were drawn for."""

    def say(self, content: Content | str) -> None:
        """Show a text."""
        content = Content(content) if isinstance(content, str) else content
        if self._content.is_same(content):
            return
        before, self._content = self._drawn, content
        self._drawn = self._draw() if self.size else None
        grows = self.styles.height is not None and self.styles.height.is_auto
        if before is None or self._drawn is None:
            self.refresh(layout=grows)
            return
        pairs = zip_longest(before, self._drawn)
        changed = [self._line(y) for y, (old, new) in enumerate(pairs) if old != new]
        if changed:
            self.refresh(*changed, layout=grows and len(before) != len(self._drawn))

    def _line(self, y: int) -> Region:
        """Where the line is seen."""
        return Region(0, y, self.size.width, 1)

    @property
    def lines(self) -> list[Strip]:
        """The text as it is drawn."""
        if self._drawn is None or self._room != self.size:
            self._drawn = self._draw()
        return self._drawn

    def _draw(self) -> list[Strip]:
        self._room = self.size
        return self._wrapped(self.size.width)

    def _wrapped(self, width: int) -> list[Strip]:
        return Visual.to_strips(self, self._content, width, None, self.visual_style)

    def render(self) -> Content:
        """The text, for its height and for what the mouse selects of it."""
        return self._content

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        lines = self.lines
        if y < len(lines):
            return lines[y]
        return Strip.blank(self.size.width, self.visual_style.rich_style)

    def notify_style_update(self) -> None:
        """Another theme, or another look of this text."""
        super().notify_style_update()
        self._drawn = None

    def selection_updated(self, selection: Selection | None) -> None:
        """What the mouse selects looks different."""
        self._drawn = None
        super().selection_updated(selection)


class Panel(Scrolled, Words):
    """A text that scrolls where it is longer than its frame."""

    def show(self, content: Content, upto: Content | None = None) -> None:
        """Show another text, scrolled so that the end of its first part `upto` is in view."""
        self.say(content)
        if upto is not None and self.size:
            line = upto.get_height({}, self.size.width - self.overflows)
            self.see_from(line - self.room + 1)
        else:
            self.see_from(self.top)

    @property
    def length(self) -> int:
        """The lines of the text."""
        return len(self.lines)

    def _line(self, y: int) -> Region:
        return super()._line(y - self.top)

    def _draw(self) -> list[Strip]:
        lines = super()._draw()
        return lines if len(lines) <= self.size.height else self._wrapped(self.size.width - 1)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        return self.beside_bar(super().render_line(self.top + y), y)

    def on_resize(self, event: Resize) -> None:
        """No room stays empty."""
        del event
        self.see_from(self.top)
