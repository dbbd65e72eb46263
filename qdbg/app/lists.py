"""The lists that are changed while they are seen: breakpoints and watches; and the origins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding

from qdbg.app.dialogs import Ask, Choice, Choices, Choose
from qdbg.app.grid import Grid, GridColumn, GridRow, column
from qdbg.app.widgets import shortened, tail
from qdbg.debugger import Debugger
from qdbg.engine.browse import place_of
from qdbg.engine.filled import number
from qdbg.engine.table import signed

if TYPE_CHECKING:
    from qdbg.app.app import QdbgApp

EVENTS = {
    "difference": "any difference between simulated and captured",
    "saturation": "any value that is cut off by saturation",
    "tie": "any value that lies half-way when it is rounded",
}
"""The events in words."""
WIDEST, SHARE = 84, 95
"""How wide a window is at most, and how many hundredths of the screen."""
FRAME = 5
"""What its frame takes of that, and the bar beside a list that is longer than the window."""
LEAST = 16
"""The last column keeps so much."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What the keys of a list do, as commands of the table."""

    choose: Callable[[int], str]
    """For the row of that number, from 0; empty for nothing."""
    remove: Callable[[int], str]
    add: str
    """The command that is given what the user types."""
    ask: tuple[str, str]
    """The title and the hint of the window to type in."""


class EditList(Choose):
    """A list of things that can be removed, and to which others can be added."""

    ABOUT = "a list that can be changed; it is saved with the session"

    BINDINGS: ClassVar = [
        Binding("space", "choose", "the same as ⏎"),
        Binding("d,delete", "remove", "take this row off the list"),
        Binding("b,w,plus", "add", "add another one"),
        Binding("v", "panel", "show or hide the watches on the main screen"),
    ]

    def __init__(
        self, title: str, rows: Callable[[], Choices], hint: str, changes: Changes
    ) -> None:
        super().__init__(title, rows(), hint)
        self._rows, self._changes = rows, changes

    def _give(self, command: str) -> None:
        """Run a command and show the list as it is then."""
        if command:
            name, _, argument = command.partition(" ")
            cast("QdbgApp", self.app).give(name, argument)
        self.choices = self._rows()
        self.at = min(self.at, max(0, len(self.choices) - 1))
        grid = self.query_one("#choices", Grid)
        grid.styles.height = min(len(self.choices) + 1, max(3, self.app.size.height - 8))
        self.call_after_refresh(grid.show, self.choices, self.at)

    def action_choose(self) -> None:
        """Switch the row, or go there."""
        if len(self.choices):
            self._give(self._changes.choose(self.at))

    def action_remove(self) -> None:
        """Take the row off the list."""
        if len(self.choices):
            self._give(self._changes.remove(self.at))

    def action_add(self) -> None:
        """Ask for another one."""

        def answered(answer: str | None) -> None:
            if answer is not None:
                self._give(f"{self._changes.add} {answer}")

        self.app.push_screen(Ask(*self._changes.ask), answered)

    def action_panel(self) -> None:
        """Show or hide the watches on the main screen."""
        cast("QdbgApp", self.app).give("watch-panel")


def _room(width: int, taken: int) -> int:
    """What a list's last column has on a screen of that width, where the others take so much."""
    return max(LEAST, min(WIDEST, width * SHARE // 100) - FRAME - taken)


def breakpoint_list(debugger: Debugger, width: int) -> EditList:
    """The breakpoints: on or off, how often each stopped, what it stops at."""

    def rows() -> Choices:
        room = _room(width, 21)
        columns = (
            GridColumn("nr", 3),
            GridColumn("", 3, left=True),
            GridColumn("hits", 5),
            GridColumn("stops at", room, left=True),
        )
        return Choices(
            columns,
            tuple(
                Choice(
                    one.spot,
                    GridRow(
                        (
                            str(nr),
                            "on" if one.enabled else "off",
                            str(one.hits or 0),
                            shortened(EVENTS.get(one.spot, one.spot), room),
                        ),
                        role="plain" if one.enabled else "muted",
                    ),
                )
                for nr, one in enumerate(debugger.breakpoints.all, 1)
            ),
        )

    def switch(row: int) -> str:
        off = debugger.breakpoints.all[row].enabled
        return f"{'disable' if off else 'enable'} {row + 1}"

    ask = (
        "stop at",
        "a place fc1.mac[8], difference, saturation, tie, or an expression:\n"
        'abs(delta) > 1 and c == 8 · acc > 30000 · layer == "fc2" and captured == 255\n'
        "⏎ set   esc leave",
    )
    hint = "⏎ on or off   d remove   b another one   esc leave"
    changes = Changes(switch, lambda row: f"delete {row + 1}", "break", ask)
    return EditList("breakpoints", rows, hint, changes)


def watch_list(debugger: Debugger, width: int) -> EditList:
    """The watches with their values so far."""

    def rows() -> Choices:
        room = _room(width, 28)
        columns = (GridColumn("watch", 22, left=True), GridColumn("values", room, left=True))
        return Choices(
            columns,
            tuple(
                Choice(one.text, GridRow((shortened(one.text, 22), tail(one.words, room))))
                for one in debugger.watches.readings(debugger.trace, debugger.stop.mark)
            ),
        )

    def go(row: int) -> str:
        text = debugger.watches.all[row]
        return f"go {text}" if debugger.watches.is_place(debugger.trace, text) else ""

    ask = (
        "watch",
        "an element fc1[8], or an expression for the element under the cursor:\n"
        "acc · y_q - y_zp · delta   ⏎ watch   esc leave",
    )
    hint = "⏎ go to the element   d remove   w another one   v panel on or off   esc leave"
    changes = Changes(go, lambda row: f"watch {debugger.watches.all[row]}", "watch", ask)
    return EditList("watches", rows, hint, changes)


def origin_list(debugger: Debugger) -> Choose:
    """What an element came from, the largest contribution first."""
    found = debugger.origins
    added = ["" if one.contribution is None else _added(one.contribution) for one in found]
    columns = (
        GridColumn("nr", 4),
        column("from", [one.place for one in found], left=True),
        column("value", [one.value for one in found]),
        column("times", [one.weight for one in found], optional=True),
        column("adds", added),
    )
    choices = tuple(
        Choice(
            str(nr),
            GridRow(
                (str(nr), one.place, one.value, one.weight, adds),
                role="plain" if one.step is not None else "muted",
            ),
        )
        for nr, (one, adds) in enumerate(zip(found, added, strict=True), 1)
    )
    step = debugger.step
    title = f"{step.name}[{place_of(step, debugger.element)}] came from {len(found)} elements"
    return Choose(title, Choices(columns, choices), "⏎ go there; o or u comes back   esc leave")


def _added(contribution: float) -> str:
    return signed(contribution) if isinstance(contribution, int) else number(contribution)
