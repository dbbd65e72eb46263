"""How the pixels of a feature map become characters: with colours, or by shades of characters."""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from textual.color import Color
from textual.widget import Widget

from qdbg.engine.picture import Pixels
from qdbg.engine.table import SIDES

SHADES = 16
"""How many shades the pixels have in colour."""
RAMP = " ░▒▓█"
"""The shades without colour."""
ENDS = ("low", "middle", "high")
PARTS = tuple(f"map--{name}" for name in (*ENDS, "ruler", "here", "differs", "cut", "cursor"))
"""The component classes that a widget with a palette has."""

Drawn = tuple[str, Style]
"""Characters of one style."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many characters a pixel is wide, and how many pixels a line is high."""

    wide: int
    high: int


SQUARE, TALL, SMALL = Scale(2, 1), Scale(1, 1), Scale(1, 2)


class Palette:
    """The styles of a theme, each made once."""

    def __init__(self, widget: Widget) -> None:
        low, middle, high = (widget.get_component_styles(f"map--{n}").background for n in ENDS)
        half = SHADES // 2
        ramp = [low.blend(middle, i / half) for i in range(half)]
        ramp += [middle.blend(high, i / (SHADES - half - 1)) for i in range(SHADES - half)]
        self.ruler = widget.get_component_rich_style("map--ruler")
        self.here = widget.get_component_rich_style("map--here")
        self._marks = {
            name: widget.get_component_rich_style(f"map--{name}") for name in ("differs", "cut")
        }
        cursor = widget.get_component_rich_style("map--cursor")
        self._cursor = Style(bgcolor=cursor.bgcolor)
        self._below = widget.background_colors[1]
        self._ramp: list[Color] = ramp
        self._made: dict[tuple[Color, Color, bool], Style] = {}

    def blank(self, shade: int) -> Style:
        """A pixel that fills its characters; what stands on it can be read."""
        return self._style(self._ramp[shade].get_contrast_text(1.0), self._ramp[shade], bold=True)

    def halves(self, upper: int, lower: int | None) -> Style:
        """For `▀`, or for `▄` the other way round: two pixels, or one with nothing below."""
        return self._style(self._ramp[upper], self._below if lower is None else self._ramp[lower])

    def pointer(self, other: int | None) -> Style:
        """For the half of a character that is the cursor, beside a pixel of this shade."""
        back = self._below if other is None else self._ramp[other]
        return self._style(back.get_contrast_text(1.0), back, bold=True)

    def mark(self, mark: str, *, pointed: bool) -> Style:
        """For `≠` or an arrow."""
        style = self._marks["differs" if mark == "≠" else "cut"]
        return style + self._cursor if pointed else style

    def _style(self, front: Color, back: Color, *, bold: bool = False) -> Style:
        key = front, back, bold
        if key not in self._made:
            self._made[key] = Style(color=front.rich_color, bgcolor=back.rich_color, bold=bold)
        return self._made[key]


def square(palette: Palette, pixels: Pixels, cursor: int) -> list[Drawn]:
    """Two characters a pixel: its shade, and a mark in the second."""
    found: list[Drawn] = []
    for i, shade in enumerate(pixels.shades):
        marks, pointed = marks_of(pixels, i), i == cursor
        if len(marks) < 2:  # noqa: PLR2004 - one of the two characters is left for the shade
            text = "[" if pointed else " "
            found.append((text if marks else "[]" if pointed else "  ", palette.blank(shade)))
        found += [(mark, palette.mark(mark, pointed=pointed)) for mark in marks]
    return found


def halves(palette: Palette, upper: Pixels, lower: Pixels, cursor: tuple[int, int]) -> list[Drawn]:
    """One character for two pixels, one above the other; a mark of either takes the whole of it.

    The cursor is the column, and 0 for the upper pixel or 1 for the lower.
    """
    found: list[Drawn] = []
    for i, shade in enumerate(upper.shades):
        below = lower.shades[i] if lower.shades else None
        marks = marks_of(upper, i) + (marks_of(lower, i) if lower.shades else "")
        pointed = i == cursor[0]
        if marks:
            mark = "≠" if "≠" in marks else marks[0]
            found.append((mark, palette.mark(mark, pointed=pointed)))
        elif pointed:
            found.append(
                ("▄", palette.pointer(shade)) if cursor[1] else ("▀", palette.pointer(below))
            )
        else:
            found.append(("▀", palette.halves(shade, below)))
    return found


def characters(palette: Palette, pixels: Pixels, cursor: int, wide: int) -> list[Drawn]:
    """Pixels without colour, one or two characters each."""
    found: list[Drawn] = []
    for i, shade in enumerate(pixels.shades):
        marks, pointed = marks_of(pixels, i), i == cursor
        plain = "[]" if pointed else RAMP[shade] * wide
        text = ("[" if pointed else RAMP[shade]) + marks if marks else plain
        if wide == 1:
            text = marks[-1:] or ("+" if pointed else RAMP[shade])
        found.append((text[-wide:], palette.here if marks or pointed else palette.ruler))
    return found


def marks_of(pixels: Pixels, place: int) -> str:
    """`↑`, `≠`, both or neither."""
    side = SIDES[pixels.sides[place]]
    return f"{side}≠" if pixels.differs[place] else side
