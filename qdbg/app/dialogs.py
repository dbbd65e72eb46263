"""The small windows: choose from a list, type a place, press a letter, read the keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.events import Key, Resize
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Input, Static

from qdbg.app.framed import title
from qdbg.app.grid import Grid, GridColumn, GridRow
from qdbg.app.keytable import every_key, found, row_of
from qdbg.app.uncovering import Uncovering
from qdbg.commands import BY_ID

T = TypeVar("T")
WINDOW, MARGIN = 84, 6
"""How wide a window is, and what its frame and a scrollbar take of that."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One row of a list to choose from."""

    value: str
    """What choosing it gives."""
    row: GridRow


@dataclass(frozen=True, slots=True)
class Choices:
    """A list to choose from."""

    columns: tuple[GridColumn, ...]
    choices: tuple[Choice, ...]

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.choices)

    def row(self, index: int) -> GridRow:
        """One row."""
        return self.choices[index].row


class Dialog(ModalScreen[T], Uncovering[T]):  # Textual takes the styles of the first base alone
    """A window that gives one answer."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    .dialog { width: 84; max-width: 95%; height: auto; max-height: 90%; border: round $primary;
              background: $surface; padding: 0 1; border-title-color: $foreground; }
    .dialog Static { height: auto; }
    .hint { color: $secondary; }
    .grid--header { color: $secondary; text-style: bold; }
    .grid--plain { color: $foreground; }
    .grid--muted { color: $secondary; }
    .grid--differs { color: $warning; text-style: bold; }
    .grid--selected { background: $block-cursor-background; }
    """
    ABOUT = ""
    """What is seen here, for its help."""

    def action_help(self) -> None:
        """What is seen here, and its keys."""
        own = (cls for cls in type(self).__mro__ if issubclass(cls, Dialog))
        bindings = (b for cls in own for b in cls.__dict__.get("BINDINGS", ()))
        self.app.push_screen(Help(self.ABOUT, keys=tuple((b.key, b.description) for b in bindings)))

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Close it. A second ⏎, typed before it was gone, answers nothing, and none below another
        window does."""
        above = self.is_current and self.app.screen is self
        return super().dismiss(result) if above else AwaitComplete()


class Choose(Dialog[str | None]):
    """Choose a row: its value, or None when the user leaves."""

    ABOUT = "a list to choose from; below it is what its columns say"
    BINDINGS: ClassVar = [
        Binding("j,down", "move(1)", "next row"),
        Binding("k,up", "move(-1)", "row before"),
        Binding("enter,s", "choose", "take this row, as a click does"),
        Binding("escape,q,o", "leave", "leave, and nothing has changed"),
        Binding("question_mark,f1", "help", "this help"),
    ]

    def __init__(self, title: str, choices: Choices, hint: str, selected: int = 0) -> None:
        super().__init__()
        self.heading, self.choices, self.hint, self.at = title, choices, hint, selected

    def compose(self) -> ComposeResult:
        """The list and the hint below it."""
        with Vertical(classes="dialog", id="box"):
            yield Grid(id="choices")
            yield Static(self.hint, classes="hint", markup=False)

    def on_mount(self) -> None:
        """Show the list."""
        title(self.query_one("#box"), self.heading)
        grid = self.query_one("#choices", Grid)
        self._size_list(self.app.size)
        self.call_after_refresh(grid.show, self.choices, self.at)

    def on_resize(self, event: Resize) -> None:
        """The hint stays below the list."""
        self._size_list(event.size)

    def _size_list(self, size: Size) -> None:
        height = min(len(self.choices) + 1, max(3, size.height - 8))
        self.query_one("#choices", Grid).styles.height = height

    def action_move(self, rows: int) -> None:
        """Another row."""
        self.at = min(max(0, self.at + rows), len(self.choices) - 1)
        self.query_one("#choices", Grid).select(self.at)

    def action_choose(self) -> None:
        """Take the row."""
        self.dismiss(self.choices.choices[self.at].value if len(self.choices) else None)

    def action_leave(self) -> None:
        """Take nothing."""
        self.dismiss(None)

    def on_grid_picked(self, event: Grid.Picked) -> None:
        """A click takes the row."""
        self.at = event.index
        self.action_choose()


class Ask(Dialog[str | None]):
    """Type one line: the text, or None when the user leaves."""

    BINDINGS: ClassVar = [Binding("escape", "leave", "leave")]

    def __init__(self, title: str, hint: str, text: str = "", names: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.heading, self.hint, self.text, self.names = title, hint, text, names

    def compose(self) -> ComposeResult:
        """The line and the hint below it."""
        with Vertical(classes="dialog", id="box"):
            known = SuggestFromList(self.names) if self.names else None
            yield Input(self.text, compact=True, select_on_focus=False, suggester=known)
            yield Static(self.hint, classes="hint", markup=False)

    def on_mount(self) -> None:
        """Name the window."""
        title(self.query_one("#box"), self.heading)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The line is finished."""
        self.dismiss(event.value.strip() or None)

    def action_leave(self) -> None:
        """Give nothing."""
        self.dismiss(None)


class AskLetter(Dialog[str | None]):
    """Press one letter."""

    def __init__(self, title: str, hint: str) -> None:
        super().__init__()
        self.heading, self.hint = title, hint

    def compose(self) -> ComposeResult:
        """Only the hint."""
        with Vertical(classes="dialog", id="box"):
            yield Static(self.hint, markup=False)

    def on_mount(self) -> None:
        """Name the window."""
        title(self.query_one("#box"), self.heading)

    def on_key(self, event: Key) -> None:
        """A letter is the answer, anything else leaves."""
        event.stop()
        letter = event.character or ""
        self.dismiss(letter if letter.isascii() and letter.isalpha() else None)


class Help(Dialog[None]):
    """Every key, from the command table: first those of the place where the user is. Typing after
    a `/` leaves the commands with these words."""

    DEFAULT_CSS = "Help #keys { height: auto; max-height: 100%; }"
    BINDINGS: ClassVar = [
        Binding("escape,q,question_mark,f1,o", "leave", "leave"),
        Binding("slash", "search", "search"),
    ]

    def __init__(
        self,
        place: str = "",
        ids: tuple[str, ...] = (),
        keys: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__()
        self.place = place
        self.rows = (*(row_of(BY_ID[name]) for name in ids), *((k.split(","), d) for k, d in keys))

    def compose(self) -> ComposeResult:
        """The words searched for, and the table, scrolling where it is longer than the screen."""
        with Vertical(classes="dialog", id="box"):
            yield Input(placeholder="find a command", compact=True, id="words")
            with VerticalScroll(id="keys"):
                yield Static(every_key(self.place, self.rows, self.width), id="text", markup=False)

    def on_mount(self) -> None:
        """Name the window."""
        title(self.query_one("#box"), "keys", "/ find · ↑ ↓ scroll · esc leave")
        self.query_one("#words").display = False
        self.query_one("#keys").focus()

    def on_resize(self, event: Resize) -> None:
        """What a key does stays in its column."""
        del event
        self._show()

    @property
    def width(self) -> int:
        """How wide a text may be, beside the frame and the scrollbar."""
        return min(WINDOW, self.app.size.width * 95 // 100) - MARGIN

    def _show(self) -> None:
        """Everything, or the commands with the words that are typed."""
        words = self.query_one("#words", Input).value.lower().split()
        rows = found(words, self.width) if words else every_key(self.place, self.rows, self.width)
        self.query_one("#text", Static).update(rows)

    def action_search(self) -> None:
        """Type words that the commands must have."""
        words = self.query_one("#words", Input)
        words.display = True
        words.focus()

    def on_input_changed(self) -> None:
        """Leave the commands with these words."""
        self._show()

    def on_input_submitted(self) -> None:
        """Scroll what was found."""
        self.query_one("#keys").focus()

    def action_leave(self) -> None:
        """Back to where the user was."""
        self.dismiss(None)
