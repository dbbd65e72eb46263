"""Scripts of commands, `continue; next; save out.qdbg`: as --run takes them.

Checked by the command table alone, before anything is opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qdbg.commands import COMMANDS, Command
from qdbg.errors import QdbgError
from qdbg.keys import key_sign

if TYPE_CHECKING:
    import argparse

SAVE = "save"
"""The one command of a script that the debugger does not run itself: it writes a file."""

_PARTS = re.compile(r"""(?:[^;"']|"[^"]*"|'[^']*'|["'])+""")
"""Between semicolons that stand in no quotes."""


class ScriptError(QdbgError):
    """A command of a script does not exist, or did not run."""


@dataclass(frozen=True, slots=True)
class Line:
    """One command of a script."""

    option: str
    """Where it stands: `--run`, `--break`, `--watch`."""
    number: int
    """Its place there, from 1."""
    name: str
    """The id in the command table."""
    argument: str
    only_on: bool = False
    """Of a command that turns itself off the second time: it is left out then."""

    @property
    def command(self) -> str:
        """As the debugger takes it."""
        return f"{self.name} {self.argument}".strip()

    def failed(self, error: QdbgError) -> ScriptError:
        """The error, with the place of the command."""
        return ScriptError(
            f"{self.option}, command {self.number} ({self.command}): {error.found}",
            expected=error.expected,
            remedy=error.remedy,
        )


def script(text: str, option: str = "--run") -> tuple[Line, ...]:
    """The commands, each known by its id or by its key where that is one character.

    Raises ScriptError that names the command and its place.
    """
    parts = [part.strip() for part in _PARTS.findall(text)]
    return tuple(_line(part, option, n) for n, part in enumerate(filter(None, parts), 1))


def script_of(options: argparse.Namespace) -> tuple[Line, ...]:
    """What --break, --watch and --run ask for, in this order. Raises ScriptError."""
    asked = vars(options)
    found = stop_points(asked.get("break_at") or [], asked.get("watch") or [])
    return (*found, *script(asked.get("run") or ""))


def stop_points(breaks: list[str], watches: list[str]) -> tuple[Line, ...]:
    """What --break and --watch ask for; what is set already stays."""
    return tuple(
        Line(f"--{name}", number, name, text.strip(), only_on=True)
        for name, texts in (("break", breaks), ("watch", watches))
        for number, text in enumerate(texts, 1)
    )


def names() -> dict[str, Command]:
    """Every command of scripts by its id, and by its shortest key: `n`, `]`, `b`."""
    known = {c.id: c for c in COMMANDS if c.recorded or c.id == SAVE}
    signs = {key_sign(key): c for c in known.values() for key in c.keys}
    return known | {sign: c for sign, c in signs.items() if len(sign) == 1 and sign.isascii()}


def _line(part: str, option: str, number: int) -> Line:
    name, _, argument = part.partition(" ")
    known = names().get(name)
    where = f"{option}, command {number} ({part})"
    if known is None:
        ids = ", ".join(dict.fromkeys(command.id for command in names().values()))
        raise ScriptError(
            f"{where}: there is no command {name!r} for scripts",
            expected="an id of the command table, or its key",
            remedy=f"Commands: {ids}",
        )
    argument = argument.strip()
    if argument and not known.argument:
        raise ScriptError(f"{where}: {known.id} takes no argument")
    if known.id == SAVE and not argument.endswith(".qdbg"):
        what = "the file's name does not end in .qdbg" if argument else "no file is named"
        raise ScriptError(f"{where}: {what}", expected="save NAME.qdbg")
    return Line(option, number, known.id, argument)
