"""The start screen: what was open last, the shipped examples, and the sessions saved here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from textual.app import ComposeResult
from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

from qdbg.app.files import saved_in
from qdbg.app.framed import title
from qdbg.app.grid import Grid, GridColumn, GridRow
from qdbg.app.keyline import KeyLine
from qdbg.app.plan import Plan, plan_of_recent, plan_of_tour, plan_of_words
from qdbg.app.screen import CommandScreen
from qdbg.app.widgets import fitted, fitting, join
from qdbg.examples import Example, examples
from qdbg.recent import Recent, recents

FRAME = 9
"""What the frame, the cursor and the gaps of a line take."""
SAVED = Path("sessions")
OWN = Content('your own model:  qdbg model.pth --input "5.1 3.5 1.4 0.2"')
OPTIONS = Content("   more: qdbg --help")


@dataclass(frozen=True, slots=True)
class HomeLine:
    """Something to open, or the heading above some of it."""

    name: str
    about: str
    plan: Callable[[], Plan] | None = None
    """None for a heading."""


class HomeTable:
    """The lines of the start screen."""

    def __init__(self, lines: tuple[HomeLine, ...], width: int) -> None:
        self.lines = lines
        self.wide = min(max(len(line.name) + 2 for line in lines), max(24, width // 2 - FRAME))
        rest = max(10, width - self.wide - FRAME)
        self.columns = (
            GridColumn("", self.wide, left=True),
            GridColumn("", rest, left=True),
        )

    def __len__(self) -> int:
        """Headings too."""
        return len(self.lines)

    def row(self, index: int) -> GridRow:
        """One line, cut where the screen is narrow: the selected one is written out below."""
        line = self.lines[index]
        if line.plan is None:
            return GridRow((line.name, ""), " ", "", "head")
        name = fitted(f"  {line.name}", self.wide)
        return GridRow((name, fitted(line.about, self.columns[1].width)))


class HomeScreen(CommandScreen):
    """Choose what to open."""

    DEFAULT_CSS = """
    #title { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #lines { height: 1fr; border: round $border; border-title-color: $foreground; }
    #about { height: 3; padding: 0 1; background: $surface; }
    #own { height: 1; padding: 0 1; color: $secondary; text-wrap: nowrap; }
    .grid--plain { color: $foreground; }
    .grid--head { color: $accent; text-style: bold; }
    .grid--selected { background: $block-cursor-background; }
    """
    ALLOWED = frozenset(
        {
            *("down", "up", "first", "last", "page-down", "page-up"),
            *("into", "out", "resume", "tour", "sessions"),
        }
    )

    def __init__(self) -> None:
        super().__init__()
        self.lines = home_lines()
        self.at = next((i for i, line in enumerate(self.lines) if line.plan), 0)

    def compose(self) -> ComposeResult:
        """The list, the selected line in full, how to open one's own model."""
        yield Static(
            join((" qdbg ", "bold $background on $primary"), ("  start", "bold")), id="title"
        )
        yield Grid(id="lines", header=False)
        yield Static(id="about", markup=False)
        yield Static(id="own", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Show the list."""
        title(self.query_one("#lines"), "open", "j k choose · s ⏎ open")
        self.call_after_refresh(self.show_state)

    def on_resize(self, event: Resize) -> None:
        """Draw again: the columns depend on the width."""
        del event
        self.call_after_refresh(self.draw_again)

    def show_state(self) -> None:
        """Draw the lines and what the selected one says."""
        self.query_one("#lines", Grid).show(HomeTable(self.lines, self.size.width), self.at)
        own = fitting(self.size.width - 2, OWN, OPTIONS)
        self.query_one("#own", Static).update(own, layout=False)
        self._describe()

    def _describe(self) -> None:
        line = self.lines[self.at]
        text = join((line.name, "bold"), "\n", line.about)
        self.query_one("#about", Static).update(text, layout=False)

    def takes(self, name: str) -> bool:
        """Move in the list, and open what is selected."""
        page = max(1, self.query_one("#lines", Grid).size.height // 2)
        last = len(self.lines)
        by = {
            **{"down": 1, "up": -1, "first": -last, "last": last},
            **{"page-down": page, "page-up": -page},
        }
        if name in by:
            self._move(by[name])
        elif name in {"into", "resume"}:
            self._open()
        return name in by or name in {"into", "resume"}

    def _move(self, by: int) -> None:
        """To the line that far away, or the nearest on the way that can be opened."""
        rows = [i for i, line in enumerate(self.lines) if line.plan]
        wanted = min(max(0, rows.index(self.at) + by), len(rows) - 1) if rows else self.at
        self.at = rows[wanted] if rows else self.at
        grid = self.query_one("#lines", Grid)
        if self.at == rows[0]:
            grid.select(0)  # so that the heading is in view too
        grid.select(self.at)
        self._describe()

    def _open(self) -> None:
        plan = self.lines[self.at].plan
        if plan is not None:
            self.qdbg.open(plan())

    def on_grid_picked(self, event: Grid.Picked) -> None:
        """A click opens the line."""
        if self.lines[event.index].plan is not None:
            self.at = event.index
            self._describe()
            self._open()


def home_lines() -> tuple[HomeLine, ...]:
    """Each group under its heading; a group without lines is left out."""
    shipped = examples()
    own = {example.file.resolve() for example in shipped}
    here = [path for path in saved_in(SAVED) if path.resolve() not in own]
    groups = (
        ("go on with", [_recent(entry) for entry in recents()]),
        ("examples", [_tour(), *(_example(example) for example in shipped)]),
        (f"saved in {SAVED}/", [_saved(path) for path in here]),
    )
    found: list[HomeLine] = []
    for heading, lines in groups:
        if lines:
            found += [HomeLine(heading, ""), *lines]
    return tuple(found) or (HomeLine("nothing was opened before, and there are no examples", ""),)


def _recent(entry: Recent) -> HomeLine:
    about = f"{_when(entry.saved)}   {entry.place} under {entry.arithmetic}"
    return HomeLine(f"{entry.model} · {entry.sample}", about, lambda: plan_of_recent(entry))


def _tour() -> HomeLine:
    about = "two minutes: from a difference to its cause, on the session below"
    return HomeLine("a guided tour", about, plan_of_tour)


def _example(example: Example) -> HomeLine:
    return HomeLine(example.title, example.about, lambda: plan_of_words(example.argv))


def _saved(path: Path) -> HomeLine:
    about = f"{_when(path.stat().st_mtime)}   {path}"
    return HomeLine(path.name, about, lambda: plan_of_words([str(path)]))


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%d %b %H:%M")
