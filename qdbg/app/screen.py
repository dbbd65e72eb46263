"""The base of the screens that show the debugger: bindings from the command table."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size

from qdbg.app.uncovering import Uncovering
from qdbg.commands import COMMANDS, Command

if TYPE_CHECKING:
    from qdbg.app.app import QdbgApp

ALWAYS = frozenset({"help", "theme", "picture", "palette", "quit"})
"""Commands that need no recording."""


def bindings() -> list[BindingType]:
    """One binding per command with keys; those of the footer first, in its order."""
    rows = sorted(COMMANDS, key=lambda command: command.footer or len(COMMANDS))
    return [_binding(command) for command in rows if command.keys]


def _binding(command: Command) -> Binding:
    return Binding(
        ",".join(command.keys),
        f"command('{command.id}')",
        command.label,
        show=bool(command.footer),
        id=command.id,
        tooltip=command.help,
    )


class CommandScreen(Uncovering[None]):
    """A screen on which every command of the table can be given."""

    BLANK = True  # its widgets cover all of it
    BINDINGS = bindings()
    COMMAND_PALETTE_BINDING = ""
    ALLOWED: ClassVar[frozenset[str] | None] = None
    """The commands besides ALWAYS that mean something here; None: every one."""
    REFUSES = False
    """Whether it is said why the others do not."""

    @property
    def place(self) -> tuple[str, tuple[str, ...]]:
        """What is seen here, and the commands that matter most, for the help."""
        return "", ()

    @property
    def qdbg(self) -> QdbgApp:
        """The app, by its own type."""
        return cast("QdbgApp", self.app)

    def on_compose(self) -> None:
        """Its parts get the look for this size at once, and not another one before."""
        self.update_classes(self._room(self.app.size), update=False)

    def on_resize(self, event: Resize) -> None:
        """Before Textual does so, which lays the screen out first."""
        self.update_classes(self._room(event.size), animate=False)

    def _room(self, size: Size) -> dict[str, bool]:
        """Which classes the screen has in a terminal of this size."""
        found: dict[str, bool] = {}
        for room, steps in (
            (size.width, self.HORIZONTAL_BREAKPOINTS or ()),
            (size.height, self.VERTICAL_BREAKPOINTS or ()),
        ):
            reached = [name for least, name in steps if least <= room]
            found.update((name, name == reached[-1]) for _, name in steps)
        return found

    def action_command(self, name: str) -> None:
        """Give a command by its id."""
        self.qdbg.give(name)

    def means(self, name: str) -> bool:
        """Whether the command means something here; if not, the footer leaves it out."""
        return self.ALLOWED is None or name in self.ALLOWED | ALWAYS

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what means something here, or is refused in words, has a key."""
        return action != "command" or self.means(str(parameters[0])) or self.REFUSES

    def answers(self, name: str) -> bool:
        """Whether the screen has dealt with the command itself: done it, or refused it."""
        if self.takes(name):
            return True
        if not self.means(name):
            self.refuse(name)
            return True
        return False

    def refuse(self, name: str) -> None:
        """Say why a command means nothing here."""
        del name

    def show_state(self) -> None:
        """Draw what the debugger's state is now."""

    def draw_again(self) -> None:
        """The same where its parts are there: not before it is composed, nor once it is closed."""
        if self.is_attached and self.children:
            self.show_state()

    def takes(self, name: str) -> bool:
        """Whether the screen itself has done what the command asks for."""
        del name
        return False

    def scroll_beside(self, pages: int) -> None:
        """Scroll what is longer than its frame, apart from the table under the cursor."""

    def page(self) -> int:
        """How many rows a page is."""
        return 10
