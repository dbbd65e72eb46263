"""Leaving and coming back: sessions are kept on quitting, and the next start offers to go on."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qdbg.app.hangup import at_a_terminal, hung_up, let_go
from qdbg.app.hints import Hint, Offer
from qdbg.app.keyline import KeyLine
from qdbg.app.moves import Moves
from qdbg.app.plan import Plan
from qdbg.app.screen import CommandScreen
from qdbg.errors import CommandError, SessionError
from qdbg.names import THEME_NAMES
from qdbg.newcomer import is_newcomer

if TYPE_CHECKING:
    from qdbg.debugger import Debugger, Executed
    from qdbg.recent import Recent
    from qdbg.session import Session

ENDINGS = (signal.SIGHUP, signal.SIGTERM)
"""What a terminal sends that is closed, and a system that shuts down."""
LOOK = 1.0
"""Seconds between two looks whether the terminal is still there."""


class Keeping(Moves):
    """What is remembered of a session when it is left."""

    def __init__(
        self, plan: Plan | None, theme: str = THEME_NAMES[0], *, ascii: bool = False
    ) -> None:
        super().__init__(theme, ascii=ascii)
        self.plan = plan
        self.leaving = False
        """Nothing may start any more: the app ends."""
        self._at_terminal = False
        self._debugger: Debugger | None = None
        self._opened: list[Executed] = []
        """The commands that the session had when it was opened."""
        self._kept = ""
        """Its name among the recent ones; empty while it is not there."""
        self._offered: Recent | None = None
        """Where the same run was left last time, until it is gone on with."""
        self._line: Offer | Hint | None = None
        """The line above the footer, while it is there."""
        self._refused = False
        """Whether the user was told that the session cannot be kept."""
        self.session_path: Path | None = None

    @abstractmethod
    def open(self, plan: Plan) -> None:
        """Open something else."""

    @abstractmethod
    def give(self, name: str, argument: str = "") -> None:
        """Run a command of the table."""

    @abstractmethod
    def show_debugger(self, debugger: Debugger, plan: Plan) -> None:
        """Put its main screen in the place of whatever is there."""

    def end_with_the_terminal(self) -> None:
        """Quit properly when the terminal is closed."""
        loop = asyncio.get_running_loop()
        for ending in ENDINGS:
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(ending, self._ended)
        self._at_terminal = not self.is_headless and at_a_terminal()
        if self._at_terminal:
            self.set_interval(LOOK, self._look_for_terminal)

    def _look_for_terminal(self) -> None:
        if hung_up() and not self.leaving:
            self._ended()

    def _ended(self) -> None:
        with contextlib.suppress(SessionError):
            self.keep()
        self.leaving = True
        if self._at_terminal and hung_up():
            let_go()
        self.exit(0)

    @property
    def changed(self) -> bool:
        """Whether anything was done since the session was opened."""
        return self._debugger is not None and self._debugger.history != self._opened

    def keep(self) -> None:
        """Put the session among the recent ones. Raises SessionError where that is impossible."""
        from qdbg.recent import keep, latest, touch  # noqa: PLC0415 - not before the first paint

        if self._debugger is None or self.plan is None or not self.plan.run:
            return
        before = None if self._kept else latest(self.plan.run)
        if not self.changed and (self._kept or before is not None):
            if before is not None:
                touch(before)
            return
        from qdbg.session import Session  # noqa: PLC0415 - numpy

        self._kept = keep(Session.of(self._debugger), self.plan.run, self._kept).name
        self._opened = list(self._debugger.history)

    def kept_or_told(self) -> bool:
        """Keep the session; where that cannot be, say so once and stay: nothing is lost yet."""
        try:
            self.keep()
        except SessionError as problem:
            if self._refused or not self.changed:
                return True
            self._refused = True
            words = (
                f"{problem.message}\nctrl+s saves it under sessions/. The same key again leaves."
            )
            self.notify(words, title="not kept", severity="warning", timeout=20, markup=False)
            return False
        return True

    def rescue(self) -> str:
        """After a mistake of qdbg's own: keep what there is, and say so."""
        if not self.changed:
            return ""
        try:
            self.keep()
        except SessionError as problem:
            return f"The session is lost: {problem.message}"
        return "The session was kept. 'qdbg' lists it."

    def began(self, debugger: Debugger, plan: Plan) -> None:
        """A session is open now: look for where the same run was left."""
        from qdbg.recent import latest  # noqa: PLC0415 - not before the first paint

        self._debugger, self._opened = debugger, list(debugger.history)
        self._kept, self._refused, self._line = plan.kept, False, None
        self.session_path = plan.session_path
        self._offered = latest(plan.run) if plan.run and not plan.kept else None

    def offer(self) -> None:
        """Say where the same run was left, or to a newcomer which keys to begin with, above the
        footer of the main screen."""
        if not isinstance(self.screen, CommandScreen):
            return
        if self._offered is not None:
            self._line = Offer(f"{self._offered.place} under {self._offered.arithmetic}")
        elif self.plan is not None and not self.plan.tour and is_newcomer():
            self._line = Hint()
        if self._line is not None:
            self.screen.mount(self._line, before=self.screen.query_one(KeyLine))

    def moved(self) -> None:
        """The user found the way: the line goes. What it offered is still there on ctrl+r."""
        if self._line is not None and self._line.seen_enough():
            self._line.remove()
            self._line = None

    def _do_resume(self) -> None:
        entry, debugger, plan = self._offered, self._debugger, self.plan
        if entry is None or debugger is None or plan is None:
            raise CommandError("there is nothing to go on with: this run was not left before")
        recording, chosen = (
            debugger.recording,
            replace(plan, arithmetic=None, feed=None, commands=None),
        )

        def opening() -> Session:
            from qdbg.session import load  # noqa: PLC0415 - only when asked for

            return replace(load(entry.path), recording=recording)

        self.open(replace(chosen, opening=opening, kept=entry.name))
