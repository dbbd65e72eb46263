"""While a model is opened: its layers at once, what PyTorch does elsewhere, and what went wrong."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from qdbg.app.framed import title
from qdbg.app.grid import Grid
from qdbg.app.keyline import KeyLine
from qdbg.app.screen import CommandScreen
from qdbg.app.widgets import Part, join
from qdbg.app.words import Panel, Words
from qdbg.commands import BY_ID
from qdbg.keys import key_sign

if TYPE_CHECKING:
    from qdbg.app.plan import Plan
    from qdbg.core.program import Model
    from qdbg.errors import QdbgError


class OpeningScreen(CommandScreen):
    """What the file holds, what is being done, and what went wrong."""

    DEFAULT_CSS = """
    #title { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #progress { height: auto; min-height: 2; padding: 0 1; background: $surface; }
    #words { height: auto; max-height: 50%; border: round $border; padding: 0 1; display: none;
             border-title-color: $foreground; }
    #layers { height: 1fr; border: round $border; border-title-color: $foreground; }
    OpeningScreen.failed #progress { padding: 1 1; }
    OpeningScreen.unread #layers { visibility: hidden; }
    OpeningScreen.said #words { display: block; }
    .grid--header { color: $secondary; text-style: bold; }
    .grid--plain { color: $foreground; }
    .grid--selected { background: $block-cursor-background; }
    """
    ALLOWED = frozenset(
        {"out", "resume", "home", "sessions", "tour", "scroll-down", "scroll-up", "palette"}
    )
    REFUSES = True

    def __init__(self, plan: Plan) -> None:
        super().__init__(classes="unread")
        self.plan = plan
        self._doing = ""
        self._early = ""
        """The command that needs what is not there yet, with its key."""

    def compose(self) -> ComposeResult:
        """The title, the words on what happens, a process's last words, the layers."""
        heading = join(
            (" qdbg ", "bold $background on $primary"),
            (f" {PurePath(self.plan.title).name}", "bold"),
        )
        yield Static(heading, id="title", markup=False)
        yield Words(id="progress")
        yield Panel(id="words")
        yield Grid(id="layers", selectable=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Name the panels."""
        title(self.query_one("#layers"), "layers in the file")
        title(self.query_one("#words"), "its last words")

    def show_model(self, model: Model) -> None:
        """List the layers that the file holds."""
        from qdbg.app.sources import LayerTable  # noqa: PLC0415 - numpy, not before first paint
        from qdbg.core.weights import with_parts  # noqa: PLC0415 - likewise

        self.remove_class("unread")
        self.query_one("#layers", Grid).show(
            LayerTable(with_parts(model.layers.values()), self.size.width)
        )

    def say(self, words: str) -> None:
        """Name what is being done."""
        self._doing = words
        self._show_progress()

    def refuse(self, name: str) -> None:
        """What went wrong is said already, with the keys that lead on."""
        if not self.has_class("failed"):
            command = BY_ID[name]
            self._early = f"{' '.join(map(key_sign, command.keys[:1]))} {command.label}".strip()
            self._show_progress()

    def _show_progress(self) -> None:
        early = f"\n■ {self._early}: the model has not run yet" if self._early else ""
        words = join(("… ", "bold $accent"), self._doing, (early, "bold $warning"))
        self.query_one("#progress", Words).say(words)

    def fail(self, problem: QdbgError, *, back: bool) -> None:
        """Say what is wrong, what would have been right, what to do, and which keys lead on."""
        self.query_one("#progress", Words).say(_account(problem, back=back))
        self.add_class("failed")
        if problem.printed:
            self.add_class("said")
            words = Content(problem.printed)
            self.call_after_refresh(self.query_one("#words", Panel).show, words, words)

    def takes(self, name: str) -> bool:
        """Try again what went wrong."""
        if name == "resume" and self.has_class("failed"):
            self.qdbg.open(self.plan)
        return name == "resume"

    def scroll_beside(self, pages: int) -> None:
        """Scroll the last words."""
        panel = self.query_one("#words", Panel)
        panel.scroll_lines(pages * max(1, panel.size.height - 1))


def _account(problem: QdbgError, *, back: bool) -> Content:
    parts: list[Part] = [("■ ", "bold $warning"), (problem.found, "bold"), "\n"]
    for words, text in (("expected", problem.expected), ("to do", problem.remedy)):
        if text:
            parts += [(f"  {words:<10}", "$secondary"), f"{text}\n"]
    keys = [("ctrl+r", "try again"), ("H", "start screen"), ("q", "leave")]
    keys[1:1] = [("esc", "back")] if back else []
    parts.append("\n")
    for key, does in keys:
        parts += [(f"  {key}", "bold $warning"), f" {does} "]
    return join(*parts)
