"""The last line: the most important keys, as many whole ones as fit; a click gives the command."""

from __future__ import annotations

from textual.events import Click

from qdbg.app.framed import Framed, Segments
from qdbg.app.pen import Pen, Piece
from qdbg.app.screen import CommandScreen
from qdbg.commands import COMMANDS, Command
from qdbg.keys import key_sign

GAP = "  "


class KeyLine(Framed, can_focus=False):
    """Keys and what they do, the most important first."""

    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; background: $panel; color: $foreground; }
    KeyLine:ansi { background: ansi_default; }
    """

    def fitting(self, width: int) -> list[tuple[int, str, Command]]:
        """Where each key's text starts, the text of the key, and its command."""
        found, at = [], 1
        for command in filter(self._allowed, ORDERED):
            key = short_sign(command.keys[0])
            needed = len(key) + 1 + len(command.label)
            if at + needed > width:
                break
            found.append((at, key, command))
            at += needed + len(GAP)
        return found

    def _allowed(self, command: Command) -> bool:
        return not isinstance(self.screen, CommandScreen) or self.screen.means(command.id)

    def draw_line(self, y: int) -> Segments:
        """The line."""
        del y
        line: list[Piece] = [(" ", "")]
        for _, key, command in self.fitting(self.size.width):
            line += [(key, "bold $footer-key-foreground"), (f" {command.label}{GAP}", "")]
        return Pen(self).draw(tuple(line))

    async def on_click(self, event: Click) -> None:
        """Give the command whose key was clicked."""
        for at, key, command in self.fitting(self.size.width):
            if at <= event.x < at + len(key) + 1 + len(command.label):
                await self.run_action(f"screen.command('{command.id}')")


ORDERED = sorted((c for c in COMMANDS if c.footer), key=lambda command: command.footer)
"""The commands of the line."""


def short_sign(key: str) -> str:
    """`^s` for `ctrl+s`."""
    return key_sign(key).replace("ctrl+", "^")
