"""Texts as lines of segments: what Textual's Content draws, without what our texts do not need.

Content works out the styles of each line anew, and writes into each piece where the mouse finds it.
Our texts are pieces one behind the other, their styles are few, and the mouse comes seldom.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.style import Style as VisualStyle
from textual.widget import Widget

from qdbg.app.framed import Segments

Piece = tuple[str, str | VisualStyle]
"""A text and its style, by name."""
Line = tuple[Piece, ...]
KEPT = 256
"""So many explanations stay cut into lines."""


class Pen:
    """Draws a widget's text; each style is made once, and lasts as long as the widget's look."""

    def __init__(self, widget: Widget) -> None:
        self._base = widget.visual_style
        self._wraps = widget.styles.text_wrap == "wrap"
        self._overflow = widget.styles.text_overflow
        self._styles: dict[str | VisualStyle, Style] = {}
        self._cut = lru_cache(KEPT)(self._cut_line)

    def lines(self, content: Content, width: int) -> list[Line]:
        """The lines of a text, none wider than that; none at all without room."""
        if width <= 0:
            return []
        return [part for line in pieces(content) for part in self._fitted(line, width)]

    def _fitted(self, line: Line, width: int) -> list[Line]:
        if sum(cell_len(text) for text, _ in line) <= width:
            return [line]
        return self._cut(line, width)

    def _cut_line(self, line: Line, width: int) -> list[Line]:
        """A line that is too long, as the lines that it becomes."""
        content = Content.assemble(*line)
        if self._wraps:
            parts = content.wrap(width, overflow=self._overflow)
        elif self._overflow == "fold":
            parts = content.divide(list(range(width, content.cell_length, width)))
        else:
            parts = [content.truncate(width, ellipsis=self._overflow == "ellipsis")]
        return [part for each in parts for part in pieces(each)]

    def draw(self, line: Line) -> Segments:
        """A line as it goes to the screen."""
        return [Segment(text, self._style(name)) for text, name in line]

    def _style(self, name: str | VisualStyle) -> Style:
        found = self._styles.get(name)
        if found is None:
            own = VisualStyle.parse(name) if isinstance(name, str) else name
            found = self._styles[name] = (self._base + (self._base + own)).rich_style
        return found


def pieces(content: Content) -> Iterator[Line]:
    """The lines of a text in which no style lies over another."""
    text, at = content.plain, 0
    line: list[Piece] = []
    for start, end, style in (*content.spans, (len(text), len(text), "")):
        for part, name in ((text[at:start], ""), (text[start:end], style)):
            first, *others = part.split("\n")
            if first:
                line.append((first, name))
            for other in others:
                yield tuple(line)
                line = [(other, name)] if other else []
        at = end
    yield tuple(line)
