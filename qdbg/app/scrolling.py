"""What is longer than its place: the widget draws its lines and the bar beside them itself.

Textual's scrolling containers lay out the whole screen again when the length changes, which would
be most of a key's delay.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.events import MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp

from qdbg.app.framed import Framed, Segments

WHEEL = 3
"""How many lines the mouse wheel moves."""
THUMB, TRACK = "▐", " "


class Scrolled(Framed):
    """A part of some lines; the wheel moves it, and so does the bar at the right when dragged."""

    DEFAULT_CSS = "Scrolled > .scrolled--bar { color: $primary 60%; }"
    COMPONENT_CLASSES: ClassVar[set[str]] = {"scrolled--bar"}
    head = 0
    """How many lines above do not move."""
    top = 0
    """The first line that is seen."""
    _bar_looks: tuple[Style, Style] | None = None
    """Of the bar, and of what is between it and a line that is shorter."""

    @property
    @abstractmethod
    def length(self) -> int:
        """How many lines there are, without those that do not move."""

    @property
    def room(self) -> int:
        """How many of them are seen."""
        return max(1, self.size.height - self.head)

    @property
    def overflows(self) -> bool:
        """Whether there is a bar, which takes the last column."""
        return self.length > self.room

    def scroll_lines(self, by: int) -> None:
        """See what is that many lines further down."""
        self.see_from(self.top + by)

    def see_from(self, line: int) -> None:
        """See this line first, or the nearest one with which no room stays empty."""
        top = min(max(0, line), max(0, self.length - self.room))
        if top != self.top:
            self.top = top
            self.refresh()

    def beside_bar(self, line: Segments, y: int) -> Segments:
        """A line of the widget with its part of the bar, where there is one."""
        if not self.overflows:
            return line
        sign = THUMB if y - self.head in self._thumb() else TRACK
        if self._bar_looks is None:
            bar = self.get_component_rich_style("scrolled--bar")
            self._bar_looks = bar, self.visual_style.rich_style
        bar, blank = self._bar_looks
        return [*Segment.adjust_line_length(line, self.size.width - 1, blank), Segment(sign, bar)]

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._bar_looks = None

    def _thumb(self) -> range:
        high = max(1, self.room * self.room // self.length)
        first = round(self.top * (self.room - high) / (self.length - self.room))
        return range(first, first + high)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Further lines."""
        event.stop()
        self.scroll_lines(WHEEL)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Lines before."""
        event.stop()
        self.scroll_lines(-WHEEL)

    def on_mouse_down(self, event: MouseDown) -> None:
        """Take hold of the bar."""
        offset = event.get_content_offset(self)
        if offset is not None and self.overflows and offset.x == self.size.width - 1:
            self.capture_mouse()
            self._drag(offset.y)

    def on_mouse_move(self, event: MouseMove) -> None:
        """Move the bar that is held."""
        if self.app.mouse_captured is self:
            self._drag(event.y - self.gutter.top)

    def on_mouse_up(self, event: MouseUp) -> None:
        """Let the bar go."""
        del event
        if self.app.mouse_captured is self:
            self.release_mouse()

    def _drag(self, y: int) -> None:
        high = len(self._thumb())
        part = (y - self.head - high // 2) / max(1, self.room - high)
        self.see_from(round(part * (self.length - self.room)))
