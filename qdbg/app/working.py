"""Long work in a thread: what it does and how far it is, and a key that ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import Static

from qdbg.app.dialogs import Dialog
from qdbg.app.framed import title
from qdbg.core.work import Cancelled, heard_by
from qdbg.headless.output import bar

PATIENCE = 0.1
"""Seconds that work may take before the screen shows that it goes on."""
POLL = 0.1
BAR = 40
T = TypeVar("T")


class Work(Generic[T]):
    """A job in a thread of its own."""

    def __init__(self, job: Callable[[], T]) -> None:
        self.what, self.done, self.total = "", 0, 0
        self.result: T | None = None
        self.problem: Exception | None = None
        self._job, self._cancelled, self._ended = job, False, threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            with heard_by(self._hear):
                self.result = self._job()
        except Exception as problem:
            self.problem = problem
        finally:
            self._ended.set()

    def _hear(self, what: str, done: int, total: int) -> None:
        if self._cancelled:
            raise Cancelled("stopped: nothing has changed")
        self.what, self.done, self.total = what, done, total

    def cancel(self) -> None:
        """End it at the next part."""
        self._cancelled = True

    def ended(self, seconds: float = 0) -> bool:
        """Whether it is done, successful or not, before so much time has gone by."""
        return self._ended.wait(seconds)

    def outcome(self) -> T:
        """What the job gave. Raises what it raised, Cancelled among it."""
        if self.problem is not None:
            raise self.problem
        return self.result  # type: ignore[return-value]  # None is one of T then


class WorkingScreen(Dialog[None]):
    """Over the screen that asked, until the work has ended."""

    BINDINGS: ClassVar = [Binding("escape,q,ctrl+c", "cancel", "cancel")]

    def __init__(self, work: Work[T], heading: str) -> None:
        super().__init__()
        self.work, self.heading = work, heading

    def compose(self) -> ComposeResult:
        """What is done, the bar and the key."""
        with Vertical(classes="dialog", id="box"):
            yield Static(id="what", markup=False)
            yield Static(id="bar", markup=False)
            yield Static("esc stop", classes="hint", id="hint", markup=False)

    def on_mount(self) -> None:
        """Look at the work from time to time."""
        title(self.query_one("#box"), self.heading)
        self._look()
        self.set_interval(POLL, self._look)

    def _look(self) -> None:
        if self.work.ended():
            self.dismiss(None)
            return
        work = self.work
        self.query_one("#what", Static).update(work.what or "…")
        self.query_one("#bar", Static).update(bar(work.done, work.total, BAR))

    def action_cancel(self) -> None:
        """Tell the work; it ends at its next part."""
        self.work.cancel()
        self.query_one("#hint", Static).update("stopping after this part …")
