"""The feature map of a channel: an image in characters with a cursor that the arrow keys move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
from textual.message import Message

from qdbg.app.brush import (
    PARTS,
    RAMP,
    SHADES,
    SMALL,
    SQUARE,
    TALL,
    Drawn,
    Palette,
    Scale,
    characters,
    halves,
    numbers,
    square,
)
from qdbg.app.framed import Framed, Segments
from qdbg.app.looks import few_colors
from qdbg.engine.picture import Picture, Pixels

SPACE = 5
"""Every so many columns have their number above."""
WHEEL = 4
"""How many lines the mouse wheel moves."""

Part = tuple[Picture, slice, slice, int, bool]
"""Rows and columns of a picture, its number of shades, and whether its values are on them."""


class FeatureMap(Framed, can_focus=True):
    """One channel's image; it draws only what is on the screen."""

    DEFAULT_CSS = """
    FeatureMap {
        & > .map--low { background: $panel; }
        & > .map--middle { background: $primary; }
        & > .map--high { background: $foreground; }
        & > .map--ruler { color: $secondary; }
        & > .map--here { color: $foreground; text-style: bold; }
        & > .map--differs { color: $warning; text-style: bold; }
        & > .map--cut { color: $accent; text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = set(PARTS)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "screen.command('left')", "left", show=False),
        Binding("right", "screen.command('right')", "right", show=False),
    ]

    @dataclass
    class Fitted(Message):
        """Another part of the picture is seen: there is another room for it, or the mouse wheel was
        turned."""

    @dataclass
    class Picked(Message):
        """The user clicked a pixel."""

        element: int
        twice: bool = False
        """Whether it was a double click."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.picture: Picture | None = None
        self.scale = SQUARE
        self.row, self.column = 0, 0
        self.top, self.left = 0, 0
        self._palette: Palette | None = None
        self._part: tuple[Part, list[Pixels]] | None = None
        """What was drawn last."""

    # ------------------------------------------------------------------------ what is seen

    def show(self, picture: Picture, element: int) -> None:
        """Show a picture with its cursor in view; the same one draws only the lines that change."""
        old, before = self.picture, self.row
        corner = self.top, self.left, self.scale
        self.picture = picture
        self.row, self.column = picture.place(element)
        if not self.size.height:  # not laid out yet: on_resize will know the room
            return
        self.scale = self._fitting(picture)
        self._scroll(picture)
        if old is not picture or corner != (self.top, self.left, self.scale):
            self.refresh()
            return
        lines = {0, *(1 + (row - self.top) // self.scale.high for row in (before, self.row))}
        self.refresh(*self.lines_at(lines))

    def _fitting(self, picture: Picture) -> Scale:
        """The largest pixels with which the whole picture fits; else the smallest there are."""
        numbered = [Scale(picture.longest + 2, 1, numbered=True)] if picture.longest else []
        for scale in (*numbered, SQUARE):
            rows, columns = self._room(picture, scale)
            if picture.height <= rows and picture.width <= columns:
                return scale
        return TALL if few_colors(self) else SMALL

    def _margin(self, picture: Picture) -> int:
        """How wide the row numbers are, with the cursor's sign and a blank."""
        return len(str(picture.height - 1)) + 2

    def _room(self, picture: Picture, scale: Scale) -> tuple[int, int]:
        """How many rows and columns of pixels there is room for."""
        width = self.size.width - self._margin(picture)
        return max(1, self.size.height - 1) * scale.high, max(1, width // scale.wide)

    def _scroll(self, picture: Picture) -> None:
        """Bring the cursor into view; no room stays empty that pixels could fill."""
        rows, columns = self._room(picture, self.scale)
        top = _in_view(self.top, self.row, rows, picture.height)
        self.top = top - top % self.scale.high
        if self.row >= self.top + rows:
            self.top += self.scale.high
        self.left = _in_view(self.left, self.column, columns, picture.width)

    @property
    def seen(self) -> str:
        """`h 0…31, w 4…53`; empty where everything is in view."""
        if self.picture is None:
            return ""
        picture = self.picture
        names = (picture.axes.letters[axis] for axis in picture.across)
        sizes = zip((self.top, self.left), self._room(picture, self.scale), strict=True)
        both = zip(names, sizes, (picture.height, picture.width), strict=True)
        return ", ".join(
            f"{name} {first}…{min(first + room, size) - 1}"
            for name, (first, room), size in both
            if room < size
        )

    @property
    def half(self) -> int:
        """How many rows of the picture are half a screen."""
        return max(1, (self.size.height - 1) * self.scale.high // 2)

    def on_resize(self, event: Resize) -> None:
        """Choose the size of the pixels again."""
        del event
        if self.picture is not None:
            self.show(self.picture, self.picture.element(self.row, self.column))
            self.refresh()
            self.post_message(self.Fitted())

    # ----------------------------------------------------------------------------- drawing

    @property
    def palette(self) -> Palette:
        """The styles of the theme."""
        if self._palette is None:
            self._palette = Palette(self)
        return self._palette

    def repaint(self) -> None:
        """Draw with another theme's styles."""
        self._palette = None
        self.refresh()

    def draw_line(self, y: int) -> Segments:
        """The column numbers, or one line of pixels."""
        if self.picture is None:
            return []
        row = self.top + (y - 1) * self.scale.high
        drawn = self._pixels(self.picture, row) if y else self._ruler(self.picture)
        return [Segment(text, style) for text, style in _runs(drawn)]

    def _ruler(self, picture: Picture) -> list[Drawn]:
        """Every fifth column's number, and the cursor's."""
        _, room = self._room(picture, self.scale)
        wide, own = self.scale.wide, str(self.column)
        space = 1 if self.scale.numbered else SPACE
        indent = wide - 1 if self.scale.numbered else 0
        here = (self.column - self.left) * wide + max(0, indent - len(own))
        here = max(0, min(here, self.size.width - self._margin(picture) - len(own)))
        last = min(self.left + room, picture.width)
        text = [" "] * ((last - self.left) * wide + len(own))
        for column in range(-(-self.left // space) * space, last, space):
            number = str(column)
            at = (column - self.left) * wide + max(0, indent - len(number))
            if at + len(number) < here or at > here + len(own):
                text[at : at + len(number)] = number
        palette = self.palette
        before = " " * self._margin(picture) + "".join(text[:here])
        after = "".join(text[here + len(own) :])
        return [(before, palette.ruler), (own, palette.here), (after, palette.ruler)]

    def _pixels(self, picture: Picture, row: int) -> list[Drawn]:
        if row >= picture.height:
            return []
        palette, high = self.palette, self.scale.high
        here = row <= self.row < row + high
        number = str(self.row if here else row).rjust(self._margin(picture) - 2)
        cursor = self.column - self.left
        pixels, lower = self._two_rows(picture, row)
        if not (here and 0 <= cursor < len(pixels.shades)):
            cursor = -1  # a smaller room is drawn before it is scrolled
        if self.scale.numbered:
            drawn = numbers(palette, pixels, cursor, self.scale.wide)
        elif high > 1:
            drawn = halves(palette, pixels, lower, (cursor, self.row - row))
        elif few_colors(self):
            drawn = characters(palette, pixels, cursor, self.scale.wide)
        else:
            drawn = square(palette, pixels, cursor)
        style = palette.here if here else palette.ruler
        return [(f"{number}{'▸' if here else ' '} ", style), *drawn]

    def _two_rows(self, picture: Picture, row: int) -> tuple[Pixels, Pixels]:
        """The pixels of a row that is seen, and of the one below; all rows are found at once."""
        height, width = self._room(picture, self.scale)
        rows, columns = slice(self.top, self.top + height), slice(self.left, self.left + width)
        shades = len(RAMP) if few_colors(self) else SHADES
        part = picture, rows, columns, shades, self.scale.numbered
        if self._part is None or self._part[0] != part:
            self._part = part, picture.part(*part[1:])
        place = row - self.top
        first, second = [*self._part[1][place : place + 2], Pixels(), Pixels()][:2]
        return first, second

    # ------------------------------------------------------------------------------- mouse

    def on_click(self, event: Click) -> None:
        """Select the pixel that was clicked."""
        offset = event.get_content_offset(self)
        if offset is None or self.picture is None:
            return
        row = self.top + (offset.y - 1) * self.scale.high
        column = self.left + (offset.x - self._margin(self.picture)) // self.scale.wide
        inside = self.top <= row < self.picture.height and self.left <= column < self.picture.width
        if inside:
            element = self.picture.element(row, column)
            self.post_message(self.Picked(element, event.chain > 1))

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Further rows."""
        event.stop()
        self._wheel(WHEEL)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Rows before."""
        event.stop()
        self._wheel(-WHEEL)

    def _wheel(self, lines: int) -> None:
        if self.picture is not None:
            rows, _ = self._room(self.picture, self.scale)
            top = self.top + lines * self.scale.high
            furthest = max(0, self.picture.height - rows)
            furthest += furthest % self.scale.high
            self.top = min(max(0, top), furthest)
            self.refresh()
            self.post_message(self.Fitted())


def _runs(drawn: list[Drawn]) -> Iterator[Drawn]:
    """Neighbours of one style, which is one object: comparing styles takes longer than drawing."""
    text, style = "", None
    for more, own in drawn:
        if own is not style:
            if style is not None:
                yield text, style
            text, style = "", own
        text += more
    if style is not None:
        yield text, style


def _in_view(first: int, wanted: int, room: int, size: int) -> int:
    """The first place to show so that the wanted one is seen and no room stays empty."""
    shown = min(max(first, wanted - room + 1), wanted)
    return min(max(0, shown), max(0, size - room))
