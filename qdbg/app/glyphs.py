"""The screen in ASCII: one filter over every line, so that no text needs a second form."""

from __future__ import annotations

import re
import unicodedata

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

TABLE = str.maketrans(
    {
        **dict.fromkeys("─━═┄╌▔▁▂▀▄", "-"),
        **dict.fromkeys("│┃║▏▕▎▊▍▋▉▐", "|"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛╔╗╚╝▛▜▙▟▖▗▘▝", "+"),
        **dict.fromkeys("▌▶►▸→›", ">"),
        **dict.fromkeys("◂◀←", "<"),
        **dict.fromkeys("·•", "."),
        **dict.fromkeys("▃▅▆▇█■", "#"),
        **dict.fromkeys("“”", '"'),
        **dict.fromkeys("‘’", "'"),
        **dict.fromkeys("–—−", "-"),
        **dict.fromkeys("∞○", "o"),
        **dict(zip("₀₁₂₃₄₅₆₇₈₉ₖ⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789k0123456789", strict=True)),
        **dict(zip("≠✓↑↓↕×Δ…⏎Σ≈≤≥░▒▓⋅∈√ε⌊⌋⌈⌉∂", "!=^v+xd~>S~<>.:*.ere[][]d", strict=True)),
    }
)
"""A sign of one column for each sign of one column that qdbg or Textual draws."""
PRODUCT = re.compile(r"(?<=\S)·(?=\S)")
"""The dot of a product: it has no blank on either side."""


def in_ascii(text: str) -> str:
    """The text in ASCII and exactly as wide: what has no sign of its own becomes `?`."""
    if text.isascii():
        return text
    text = PRODUCT.sub("*", text).translate(TABLE)
    return text if text.isascii() else "".join(map(_known, text))


def _known(sign: str) -> str:
    if sign.isascii():
        return sign
    base = unicodedata.normalize("NFKD", sign)[0]
    return base if base.isascii() and cell_len(sign) == 1 else "?" * cell_len(sign)


class Ascii(LineFilter):
    """Writes every line in ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, as wide as they were."""
        del background
        return [Segment(in_ascii(text), style, control) for text, style, control in segments]
