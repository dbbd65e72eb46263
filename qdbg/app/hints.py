"""The line above the footer that goes away: where to go on, or which keys to begin with."""

from __future__ import annotations

from textual.content import Content

from qdbg.app.keyline import short_sign
from qdbg.app.widgets import Part, join
from qdbg.app.words import Words
from qdbg.commands import BY_ID
from qdbg.newcomer import remember_moves

FIRST = {
    "next": "next stage",
    "next-difference": "next difference",
    "into": "one element",
    "diagnose": "why",
    "help": "all keys",
}
"""The commands to begin with, in a few words."""
MOVES = 3
"""After so many moves a newcomer knows how."""


class Line(Words):
    """One line with keys, which asks nothing."""

    DEFAULT_CSS = """
    Line { height: 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def seen_enough(self) -> bool:
        """Whether it may go now that the user has moved."""
        return True


class Offer(Line):
    """Where the same run was left."""

    def __init__(self, place: str) -> None:
        super().__init__(
            join((" ctrl+r ", "bold $warning"), "go on where you were: ", (place, "bold"))
        )


class Hint(Line):
    """Which keys to begin with; it stays for a few moves and never comes back."""

    def __init__(self) -> None:
        super().__init__(_first_keys())
        self._moves = 0

    def seen_enough(self) -> bool:
        """Whether these were moves enough; if so they are remembered."""
        self._moves += 1
        if self._moves == MOVES:
            remember_moves()
        return self._moves >= MOVES


def _first_keys() -> Content:
    parts: list[Part] = [(" begin with ", "bold $accent")]
    for name, words in FIRST.items():
        key = short_sign(BY_ID[name].keys[0])
        parts += [(f"  {key} ", "bold $warning"), words]
    return join(*parts)
