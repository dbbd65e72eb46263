"""A table that draws only the rows on the screen, so that its size does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.events import Click, Resize
from textual.message import Message

from qdbg.app.framed import Segments
from qdbg.app.scrolling import Scrolled
from qdbg.app.widgets import fitted, shortened

GAP = 2
"""Blanks between two columns."""
NARROWEST_BAR, WIDEST_BAR = 9, 41
LEAST = 8
"""A column of text keeps so much."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What stands over the bars of a column, and whether they go to both sides."""

    low: str
    high: str
    signed: bool


@dataclass(frozen=True, slots=True)
class GridColumn:
    """How wide a column is, and whether it may be left out where the screen is narrow."""

    title: str
    width: int
    optional: bool = False
    left: bool = False
    """Aligned to the left: text, not numbers."""
    bar: Bar | None = None
    """Bars of the rows' shares, as long as there is room for them."""


@dataclass(frozen=True, slots=True)
class GridRow:
    """One line of the table."""

    cells: tuple[str, ...]
    mark: str = " "
    """In front of the row, `≠`."""
    side: str = ""
    """Behind the row, `↑`."""
    role: str = "plain"
    """`plain`, `differs`, `cut`, `muted` or `head`: a component class of the grid."""
    share: float = 0.0
    """How long the row's bar is, from -1 to 1."""


def column(
    title: str, cells: Iterable[str], *, left: bool = False, optional: bool = False
) -> GridColumn:
    """A column as wide as its widest cell."""
    return GridColumn(title, max(map(cell_len, (title, *cells))), optional, left)


class GridSource(Protocol):
    """What a grid shows."""

    @property
    def columns(self) -> tuple[GridColumn, ...]:
        """The columns from left to right."""

    def __len__(self) -> int:
        """The number of rows."""

    def row(self, index: int) -> GridRow:
        """One row, made when it is drawn."""


class Grid(Scrolled, can_focus=False):
    """A header line and the visible rows of a GridSource."""

    DEFAULT_CSS = """
    Grid:ansi > .grid--selected { text-style: reverse; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grid--header",
        "grid--plain",
        "grid--differs",
        "grid--cut",
        "grid--muted",
        "grid--head",
        "grid--selected",
    }

    @dataclass
    class Picked(Message):
        """The user clicked a row."""

        grid: Grid
        index: int
        twice: bool = False
        """Whether it was a double click."""

    def __init__(
        self, *, selectable: bool = True, header: bool = True, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.source: GridSource | None = None
        self.selected = 0
        self.selectable = selectable
        self.head = int(header)
        self._shown: tuple[int, ...] = ()
        self._widths: tuple[int, ...] = ()
        """Of every column: where there is too little room, those of text give way."""
        self._bar = 0
        """How wide the bars of the rows are."""
        self._width = 0
        """What a row may take, beside the bar that says which rows are seen."""
        self._looks: dict[str, Style] = {}
        """The component styles, each made once."""

    @property
    def length(self) -> int:
        """The number of rows."""
        return len(self.source) if self.source is not None else 0

    def show(self, source: GridSource, selected: int = 0) -> None:
        """Show a source, with one row selected and in view; the same one draws only two rows."""
        if source is self.source:
            self.select(selected)
            return
        before, width = self.length, self._width
        self.source = source
        self._layout_columns()
        self.select(selected)
        if width == self._width:
            self.refresh(*self.lines_at(range(max(before, self.length) + self.head)))
        else:
            self.refresh()

    def select(self, index: int) -> None:
        """Select a row of the same source and scroll to it."""
        before, self.selected, top = self.selected, index, self.top
        if not self.size.height:  # not laid out yet: on_resize will know the room
            return
        self.see_from(min(max(top, index - self.room + 1), index))
        if before != index and top == self.top:
            self.refresh(*self.lines_at(row - top + self.head for row in (before, index)))

    def on_resize(self, event: Resize) -> None:
        """Choose the columns that fit."""
        del event
        if self.source is not None:
            self._layout_columns()
            self.select(self.selected)
            self.refresh()

    def _layout_columns(self) -> None:
        assert self.source is not None  # noqa: S101 - callers look first
        columns = self.source.columns
        self._width = self.size.width - self.overflows
        free = self._width - 5 + GAP - sum(c.width + GAP for c in columns if not c.optional)
        self._widths = _narrowed(columns, max(0, -free))
        shown = []
        for place, column in enumerate(columns):
            if column.optional:
                free -= column.width + GAP
                if free < 0:
                    continue
            shown.append(place)
        self._shown = tuple(shown)
        self._bar = min(free - 2 * GAP, WIDEST_BAR)

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._looks.clear()

    def _look(self, name: str) -> Style:
        if name not in self._looks:
            self._looks[name] = self.get_component_rich_style(f"grid--{name}")
        return self._looks[name]

    def draw_line(self, y: int) -> Segments:
        """The header, or a row."""
        if self.source is not None and y < self.head:
            return self._line(self._header(), self._look("header"))
        index = self.top + y - self.head
        if self.source is None or index >= self.length:
            return []
        row = self.source.row(index)
        cursor = "▌" if self.selectable and index == self.selected else " "
        text = f"{cursor}{row.mark} " + self._cells(row.cells) + f" {row.side}"
        if self._bars is not None:
            text = self._before_bar(text) + bar(row.share, self._bars, self._bar)
        style = self._look(row.role)
        if cursor == "▌":
            chosen = self._look("selected")
            style += Style(bgcolor=chosen.bgcolor, reverse=chosen.reverse)
        return self.beside_bar(self._line(text, style), y)

    def _header(self) -> str:
        assert self.source is not None  # noqa: S101 - callers look first
        text = "   " + self._cells(tuple(c.title for c in self.source.columns))
        if self._bars is None:
            return text
        return self._before_bar(text) + over_bars(self._bars, self._bar)

    def _before_bar(self, text: str) -> str:
        return text + " " * (self._width - self._bar - 1 - cell_len(text))

    @property
    def _bars(self) -> Bar | None:
        """The bars behind the columns, where there is room for them."""
        found = self.source.columns[-1].bar if self.source is not None else None
        return found if self._bar >= NARROWEST_BAR else None

    def _cells(self, cells: tuple[str, ...]) -> str:
        assert self.source is not None  # noqa: S101 - callers look first
        columns, line, end = self.source.columns, "", 0
        shown = [place for place in self._shown if columns[place].bar is None]
        for place, following in zip(shown, [*shown[1:], None], strict=True):
            text, end = cells[place], end + self._widths[place]
            if not columns[place].left:
                text = " " * (end - cell_len(line) - cell_len(text)) + text
            elif following is not None:
                room = self._widths[place] + self._blanks(following, cells[following])
                text = shortened(text, room)
            end += GAP if following is not None else 0
            line += text + " " * (end - cell_len(line) - cell_len(text))
        return line

    def _blanks(self, place: int, text: str) -> int:
        """How many stand in front of the cell: of numbers, which are aligned to the right."""
        assert self.source is not None  # noqa: S101 - callers look first
        left = self.source.columns[place].left
        return 0 if left else max(0, self._widths[place] - cell_len(text))

    def _line(self, text: str, style: Style) -> Segments:
        if cell_len(text) > self._width:
            text = fitted(text.rstrip(), self._width)
        return [Segment(set_cell_size(text, self._width), style)]

    def on_click(self, event: Click) -> None:
        """Select the row that was clicked."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self.head or offset.x >= self._width:
            return
        index = self.top + offset.y - self.head
        if index < self.length:
            self.post_message(self.Picked(self, index, event.chain > 1))


def _narrowed(columns: Sequence[GridColumn], by: int) -> tuple[int, ...]:
    """Their widths, where the columns that stay have so many too much: the widest of those of text
    gives way first. Numbers keep theirs."""
    widths = [column.width for column in columns]
    texts = [n for n, column in enumerate(columns) if column.left and not column.optional]
    for _ in range(by):
        widest = max(texts, key=widths.__getitem__, default=None)
        if widest is None or widths[widest] <= LEAST:
            break
        widths[widest] -= 1
    return tuple(widths)


def bar(share: float, about: Bar, width: int) -> str:
    """A share as a line: from the left, or from a middle to either side."""
    if not about.signed:
        return ("━" * round(share * width)).ljust(width)
    half = (width - 1) // 2
    length = round(abs(share) * half)
    if share and not length:
        length = 1
    line = "━" * length
    left, right = (line, "") if share < 0 else ("", line)
    return f"{left:>{half}}│{right:<{half}}"


def over_bars(about: Bar, width: int) -> str:
    """The ends of the bars, as the header has them."""
    if not about.signed:
        return about.high.rjust(width)
    half = (width - 1) // 2
    low, high = about.low, about.high
    if max(len(low), len(high)) >= half:
        low, high = low[:1], high[:1]
    return f"{low:<{half}}0{high:>{half}}"
