"""How the pixels of a feature map become characters: with colours, or by shades of characters."""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from textual.color import Color
from textual.widget import Widget

from qdbg.app.looks import few_colors
from qdbg.engine.picture import Pixels
from qdbg.engine.table import SIDES

SHADES = 16
"""How many shades the pixels have in colour."""
RAMP = " ░▒▓█"
"""The shades without colour."""
ENDS = ("low", "middle", "high")
PARTS = tuple(f"map--{name}" for name in (*ENDS, "ruler", "here", "differs", "cut"))
"""The component classes that a widget with a palette has."""

TINT = 0.35
"""How much of a pixel's shade is left under a mark."""
REVERSED = Style(reverse=True)
Drawn = tuple[str, Style]
"""Characters of one style."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many characters a pixel is wide, and how many pixels a line is high."""

    wide: int
    high: int
    numbered: bool = False
    """The pixels have their values written on them."""


SQUARE, TALL, SMALL = Scale(2, 1), Scale(1, 1), Scale(1, 2)


class Palette:
    """The styles of a theme, each made once."""

    def __init__(self, widget: Widget) -> None:
        self.plain = few_colors(widget)
        low, middle, high = (widget.get_component_styles(f"map--{n}").background for n in ENDS)
        half = SHADES // 2
        ramp = [low.blend(middle, i / half) for i in range(half)]
        ramp += [middle.blend(high, i / (SHADES - half - 1)) for i in range(SHADES - half)]
        self.nothing = widget.rich_style
        self.ruler = widget.get_component_rich_style("map--ruler")
        self.here = widget.get_component_rich_style("map--here")
        self._marks = {
            name: widget.get_component_rich_style(f"map--{name}") for name in ("differs", "cut")
        }
        self._below = widget.background_colors[1]
        self.ramp: list[Color] = ramp
        self._signs: dict[tuple[bool, int, bool], Style] = {}
        self.marked: dict[tuple[int, ...], Drawn] = {}
        """A character for two pixels of which one has a mark, by their shades and marks."""
        self._made: dict[tuple[Color, Color, bool], Style] = {}
        self.pairs = [[self._pair(upper, lower) for lower in ramp] for upper in ramp]
        """`▀` for two pixels, by the shades of the upper and of the lower."""
        self.last = [self._pair(upper, self._below) for upper in ramp]
        """`▀` for a pixel with nothing below."""

    def blank(self, shade: int) -> Style:
        """A pixel that fills its characters; what stands on it can be read."""
        return self._style(self.ramp[shade].get_contrast_text(1.0), self.ramp[shade], bold=True)

    def pointer(self, other: int | None) -> Style:
        """For the half of a character that is the cursor, beside a pixel of this shade."""
        back = self._below if other is None else self.ramp[other]
        return self._style(back.get_contrast_text(1.0), back, bold=True)

    def mark(self, mark: str, shade: int, *, pointed: bool) -> Style:
        """For `≠` or an arrow, on a hint of its pixel's shade."""
        key = mark == "≠", shade, pointed
        if key not in self._signs:
            style = self._marks["differs" if mark == "≠" else "cut"]
            if not self.plain:
                tint = self._below.blend(self.ramp[shade], TINT)
                style += Style(bgcolor=tint.rich_color)
            self._signs[key] = style + REVERSED if pointed else style
        return self._signs[key]

    def _pair(self, upper: Color, lower: Color) -> Drawn:
        return "▀", self._style(upper, lower)

    def _style(self, front: Color, back: Color, *, bold: bool = False) -> Style:
        key = front, back, bold
        if key not in self._made:
            self._made[key] = Style(color=front.rich_color, bgcolor=back.rich_color, bold=bold)
        return self._made[key]


def numbers(palette: Palette, pixels: Pixels, cursor: int, wide: int) -> list[Drawn]:
    """Each pixel with its value on it, a mark on either side."""
    found: list[Drawn] = []
    for i, text in enumerate(pixels.texts):
        pointed, shade = i == cursor, pixels.shades[i]
        style = palette.blank(shade)
        if palette.plain:
            style = palette.here if pointed else palette.ruler
        side, differs = SIDES[pixels.sides[i]], pixels.differs[i]
        found += [
            (side, palette.mark(side, shade, pointed=pointed))
            if side
            else ("[" if pointed else " ", style),
            (text.rjust(wide - 2), style),
            ("≠", palette.mark("≠", shade, pointed=pointed))
            if differs
            else ("]" if pointed else " ", style),
        ]
    return found


def square(palette: Palette, pixels: Pixels, cursor: int) -> list[Drawn]:
    """Two characters a pixel: its shade, and a mark in the second."""
    found: list[Drawn] = []
    for i, shade in enumerate(pixels.shades):
        marks, pointed = marks_of(pixels, i), i == cursor
        if len(marks) < 2:  # noqa: PLR2004 - one of the two characters is left for the shade
            text = "[" if pointed else " "
            found.append((text if marks else "[]" if pointed else "  ", palette.blank(shade)))
        found += [(mark, palette.mark(mark, shade, pointed=pointed)) for mark in marks]
    return found


def halves(palette: Palette, upper: Pixels, lower: Pixels, cursor: tuple[int, int]) -> list[Drawn]:
    """One character for two pixels, one above the other; a mark of either takes the whole of it.

    The cursor is the column, and 0 for the upper pixel or 1 for the lower.
    """
    if lower.shades:
        both = zip(upper.shades, lower.shades, strict=True)
        found = [palette.pairs[above][below] for above, below in both]
    else:
        found = [palette.last[above] for above in upper.shades]
    made, without = palette.marked, (-1, 0)
    for i in {*upper.marked, *lower.marked}:
        key: tuple[int, ...] = (upper.shades[i], upper.sides[i], upper.differs[i])
        if lower.shades:
            key += (lower.shades[i], lower.sides[i], lower.differs[i])
        if key not in made:
            made[key] = _half(palette, upper, lower, i, without)
        found[i] = made[key]
    if cursor[0] >= 0:
        found[cursor[0]] = _half(palette, upper, lower, cursor[0], cursor)
    return found


def _half(palette: Palette, upper: Pixels, lower: Pixels, i: int, cursor: tuple[int, int]) -> Drawn:
    shade, below = upper.shades[i], lower.shades[i] if lower.shades else None
    marks = marks_of(upper, i) + (marks_of(lower, i) if lower.shades else "")
    if marks:
        mark = "≠" if "≠" in marks else marks[0]
        both = shade if below is None else (shade + below) // 2
        return mark, palette.mark(mark, both, pointed=i == cursor[0])
    return ("▄", palette.pointer(shade)) if cursor[1] else ("▀", palette.pointer(below))


def characters(palette: Palette, pixels: Pixels, cursor: int, wide: int) -> list[Drawn]:
    """Pixels without colour, one or two characters each: shades, and marks over them."""
    found: list[Drawn] = []
    for i, shade in enumerate(pixels.shades):
        marks, pointed = marks_of(pixels, i)[-wide:], i == cursor
        sign = "[]" if wide > 1 else "+"
        if pointed:
            marks = (sign[: wide - len(marks)] + marks) if marks else sign
        blank = RAMP[shade] * (wide - len(marks))
        found += [part for part in ((blank, palette.nothing), (marks, palette.here)) if part[0]]
    return found


def marks_of(pixels: Pixels, place: int) -> str:
    """`↑`, `≠`, both or neither."""
    side = SIDES[pixels.sides[place]]
    return f"{side}≠" if pixels.differs[place] else side
