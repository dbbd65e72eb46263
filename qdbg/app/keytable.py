"""The list of all keys as a text, made from the command table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

from textual.content import Content

from qdbg.app.widgets import Part, join
from qdbg.commands import COMMANDS, GROUPS, Command
from qdbg.keys import key_sign

KEYS = 20
"""How wide the column of the keys is."""
Row = tuple[Sequence[str], str]
"""Keys, and what they do."""


def row_of(command: Command) -> Row:
    """The keys of a command, or how it is typed."""
    return command.keys or (f": {command.id}",), command.help


def _lines(rows: Iterable[Row], width: int) -> list[Part]:
    """A line for each row; where it is longer it goes on in its own column."""
    parts: list[Part] = []
    for keys, words in rows:
        signs = f"  {'  '.join(map(key_sign, keys)):<{KEYS - 2}}"
        text = f"\n{' ' * KEYS}".join(wrap(words, max(KEYS, width - KEYS)))
        parts += [(signs, "bold"), f"{text}\n"]
    return parts


def found(words: list[str], width: int) -> Content:
    """The commands that have all of these words."""
    rows = []
    for command in COMMANDS:
        keys = " ".join(key_sign(key) for key in command.keys)
        text = f"{command.id} {command.label} {command.help} {keys}".lower()
        if all(word in text for word in words):
            rows.append(row_of(command))
    return join(*_lines(rows, width)) if rows else Content("no command has these words")


def every_key(place: str, here: Iterable[Row], width: int) -> Content:
    """All commands by groups, before them those of the place where the user is."""
    parts: list[Part] = [
        "Lower case goes forward in time, upper case back. Each layer of the model is a few "
        "stages; only a layer's result is shown by PyTorch and can be compared.\n"
    ]
    if place:
        parts += [(f"\nHere: {place}\n", "bold $accent"), *_lines(here, width)]
    for group in GROUPS:
        parts.append((f"\n{group}\n", "bold $accent"))
        parts += _lines((row_of(c) for c in COMMANDS if c.group == group), width)
    return join(*parts)
