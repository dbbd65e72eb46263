"""A widget that draws its own lines, inside of what Textual draws around them.

Textual works out frame, padding and effects anew for each line that changes, and a widget's colours
for each widget at each key: together that is a third of a key's delay. What is left and right of a
line is the same for every line of a widget, so here it is asked for once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.widget import Widget

Segments = list[Segment]
"""A line, or a part of one."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is around the content of a widget, as long as it has this size and this look."""

    outer: Size
    size: Size
    """Of the content."""
    top: int
    """How many lines are above the content."""
    left: Segments
    right: Segments
    blank: Style
    """Of what lies behind the end of a line."""
    background: Color
    filters: tuple[LineFilter, ...]


class Line(Strip):
    """A line that does not keep itself among its own parts: whatever is drawn would else be left to
    Python's search for unused objects."""

    __slots__ = ()

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """The parts between the cuts; all of it is no part."""
        wanted = list(cuts)
        return [self] if wanted == [self.cell_length] else super().divide(wanted)


class Framed(Widget):
    """Draws only the lines that have changed, and of its frame only those whose words have."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = "", ""
        """The words in the frame, above and below."""
        self._naming = False
        self._around: Around | None = None
        self._strips: dict[int, Strip] = {}
        """The lines that are drawn, by their place in the widget."""

    @abstractmethod
    def draw_line(self, y: int) -> Segments:
        """A line of the content; it may be shorter or longer than there is room for."""

    @property
    def size(self) -> Size:
        """Without the frame, as for every widget; but not looked up on the screen each time."""
        outer, around = self.outer_size, self._around
        if around is not None and around.outer == outer:
            return around.size
        return outer - self.styles.gutter.totals

    # ----------------------------------------------------------------------------- drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of a part of the widget."""
        around, strips = self._around, self._strips
        if around is None or around.outer != self.outer_size:
            strips.clear()
            around = self._around = self._look_around()
        found = []
        for y in crop.line_range:
            strip = strips.get(y)
            if strip is None:
                strip = strips[y] = self._whole_line(around, y)
            found.append(strip)
        if crop.column_span != (0, around.outer.width):
            return [strip.crop(*crop.column_span) for strip in found]
        return found

    def _look_around(self) -> Around:
        outer, gutter, (_, background) = self.outer_size, self.styles.gutter, self.background_colors
        size, (left, right) = outer - gutter.totals, ([], [])
        if gutter.left or gutter.right:
            line = self._by_textual(gutter.top)
            left = list(line.crop(0, gutter.left))
            right = list(line.crop(outer.width - gutter.right))
        blank = VisualStyle(background=background).rich_style
        filters = tuple(self.get_line_filters())
        return Around(outer, size, gutter.top, left, right, blank, background, filters)

    def _by_textual(self, y: int) -> Strip:
        return super().render_lines(Region(0, y, self.outer_size.width, 1))[0]

    def _whole_line(self, around: Around, y: int) -> Strip:
        width, place = around.size.width, y - around.top
        if not 0 <= place < around.size.height:
            return self._by_textual(y)
        content = Segment.adjust_line_length(self.draw_line(place), width, around.blank)
        for each in around.filters:
            content = each.apply(content, around.background)
        return Line([*around.left, *content, *around.right], around.outer.width)

    def render_line(self, y: int) -> Strip:
        """A line of the content, for what Textual wants to know of it."""
        return Strip(self.draw_line(y))

    def lines_at(self, places: Iterable[int]) -> list[Region]:
        """Where these lines of the content are, with what is beside them: Textual has whole lines
        at hand, and would have to cut shorter ones out of them."""
        height = self.size.height
        return [self._line_at(y) for y in places if 0 <= y < height]

    def _line_at(self, y: int) -> Region:
        return Region(-self.styles.gutter.left, y, self.outer_size.width, 1)

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
        if not regions:
            self._strips.clear()
            self._around = None
        top = self.styles.gutter.top if regions else 0
        for region in regions:
            for y in region.line_range:
                self._strips.pop(y + top, None)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """Another look, of this widget or of all."""
        super().notify_style_update()
        self._strips.clear()
        self._around = None

    # ------------------------------------------------------------------------------- frame

    def name_frame(self, above: str, below: str = "") -> None:
        """Put words into the frame; brackets in them are no markup."""
        before, self._names = self._names, (above, below)
        changed = []
        self._naming = self.is_mounted
        if before[0] != above:
            self.border_title = Content(above)
            changed.append(-self.styles.gutter.top)
        if before[1] != below:
            self.border_subtitle = Content(below)
            changed.append(self.outer_size.height - self.styles.gutter.top - 1)
        self._naming = False
        if changed:
            self.refresh(*map(self._line_at, changed))


class Row(Horizontal):
    """Widgets side by side, with nothing to be seen between them."""

    BLANK = True


class Stack(Vertical):
    """Widgets one below the other, with nothing to be seen between them."""

    BLANK = True


def title(widget: Widget, text: str, below: str = "") -> None:
    """Put words into a widget's frame; brackets in them are no markup."""
    if isinstance(widget, Framed):
        widget.name_frame(text, below)
        return
    widget.border_title, widget.border_subtitle = Content(text), Content(below)
