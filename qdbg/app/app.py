"""The app: loads in the background, then joins the debugger with the screens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import ScreenError
from textual.css.query import QueryError
from textual.worker import WorkerFailed, get_current_worker

from qdbg.app.opening import OpeningScreen
from qdbg.app.palette import CommandProvider
from qdbg.app.pauses import spare_what_stays
from qdbg.app.plan import Plan
from qdbg.app.screen import CommandScreen
from qdbg.app.windows import Windows
from qdbg.commands import BY_ID
from qdbg.core.words import counted
from qdbg.errors import CommandError, QdbgError, SessionError
from qdbg.names import THEME_NAMES

if TYPE_CHECKING:
    from qdbg.debugger import Debugger
    from qdbg.engine.trace import Trace

LOWEST = 2
"""A screen with nothing of qdbg's below it: the app's own empty one is the first."""
BAD_INPUT = 2
"""The exit status after bad input."""
LARGE = 2**18
"""Recordings of fewer numbers are simulated more quickly than a screen is drawn."""
TOLD = 20
"""Seconds for what is said of the user's own file."""
T = TypeVar("T")


class QdbgApp(Windows):
    """One debugger, seen on a few screens."""

    TITLE = "qdbg"
    COMMANDS: ClassVar = {CommandProvider}
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self, plan: Plan | None, theme: str = THEME_NAMES[0], *, ascii: bool = False
    ) -> None:
        super().__init__(plan, theme, ascii=ascii)
        self.problem = ""
        """What was wrong with the input; empty while all is well."""

    @property
    def loaded(self) -> bool:
        """Whether there is a debugger."""
        return self._debugger is not None

    @property
    def debugger(self) -> Debugger:
        """The debugger; only there once the recording is."""
        if self._debugger is None:
            raise CommandError("the model has not run yet")
        return self._debugger

    def on_mount(self) -> None:
        """Paint the first screen, then load in a thread."""
        self.end_with_the_terminal()
        if self.plan is None:
            self._do_home()
        else:
            self.open(self.plan)

    # ------------------------------------------------------------------------- loading

    def open(self, plan: Plan) -> None:
        """Open it in a thread; what is open now stays below until the new one is there."""
        if not self.kept_or_told():
            return
        self.problem = ""
        if isinstance(self.screen, OpeningScreen):
            self.pop_screen()
        opening = OpeningScreen(plan)
        self.push_screen(opening)
        load = partial(self._load, opening)
        self.call_after_refresh(self.run_worker, load, thread=True, group="load", exclusive=True)

    def _load(self, opening: OpeningScreen) -> None:
        from qdbg.app.loading import load  # noqa: PLC0415 - numpy, not before the first paint

        worker = get_current_worker()

        def tell(call: Callable[..., object], *values: object) -> None:
            """In the app's own thread, unless nobody would answer any more."""
            if not self.leaving and not worker.is_cancelled:
                opening.from_thread(call, *values)

        try:
            debugger = load(
                opening.plan,
                partial(tell, opening.show_model),
                partial(tell, opening.say),
                lambda: self.leaving or worker.is_cancelled,
            )
        except QdbgError as problem:
            tell(self._failed, opening, problem)
        else:
            tell(self.show_debugger, debugger, opening.plan)

    def _failed(self, opening: OpeningScreen, problem: QdbgError) -> None:
        self.problem = problem.message
        opening.fail(problem, back=len(self.screen_stack) > LOWEST)

    def show_debugger(self, debugger: Debugger, plan: Plan) -> None:
        """Put its main screen in the place of whatever is there."""
        from qdbg.app.main import MainScreen  # noqa: PLC0415 - numpy, not before first paint
        from qdbg.core.versions import other_release  # noqa: PLC0415 - likewise

        self.plan = plan
        self.began(debugger, plan)
        spare_what_stays()
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.push_screen(MainScreen())
        notes = [*plan.notes, other_release(debugger.recording.environment)]
        if any(notes):
            self.notify("\n".join(filter(None, notes)), markup=False, timeout=TOLD)

    # ------------------------------------------------------------------------ commands

    def give(self, name: str, argument: str = "") -> None:
        """Run a command of the table, by its id; ask for what it needs."""
        if isinstance(self.screen, CommandScreen) and self.screen.answers(name):
            return
        own = getattr(self, "_do_" + name.replace("-", "_"), None)
        with self.problems_told():
            if own is not None and not argument:
                own()
            else:
                self._execute(f"{name} {argument}".strip())

    @property
    def busy(self) -> bool:
        """Whether a thread works with the debugger now: nobody else may."""
        from qdbg.app.working import WorkingScreen  # noqa: PLC0415 - not before paint

        return isinstance(self.screen, WorkingScreen)

    def work(self, heading: str, job: Callable[[], T], then: Callable[[T], None]) -> None:
        """Do the job and take what it gives: at once for a recording of few numbers, else in a
        thread, with a window over the screen where it takes longer. Raises what the job does."""
        if sum(value.size for value in self.debugger.recording.values) < LARGE:
            then(job())
            return
        from qdbg.app.working import PATIENCE, Work, WorkingScreen  # noqa: PLC0415 - not before paint

        work = Work(job)

        def finish(_: None) -> None:
            try:
                then(work.outcome())
            except QdbgError as problem:
                self.notify(problem.message, severity="warning", markup=False)
                self._redraw()

        if work.ended(PATIENCE):
            finish(None)
        else:
            self.push_screen(WorkingScreen(work, heading), finish)

    def _execute(self, command: str) -> None:
        before, debugger = self.debugger.trace, self.debugger
        if command.startswith("element "):  # in the stage that is shown: nothing to wait for
            debugger.execute(command)
            self._executed(debugger, before)
            return
        self.work(
            command, lambda: debugger.execute(command), lambda _: self._executed(debugger, before)
        )

    def _executed(self, debugger: Debugger, before: Trace) -> None:
        if debugger is not self._debugger:
            return
        self.moved()
        self._redraw()
        now = self.debugger.trace
        if (now.feed, now.arithmetic.changes) != (before.feed, before.arithmetic.changes):
            self._count_again()

    def _redraw(self) -> None:
        for screen in reversed(self.screen_stack):
            if isinstance(screen, CommandScreen):
                screen.draw_again()
                return

    def _count_again(self) -> None:
        from qdbg.app.main import MainScreen  # noqa: PLC0415 - loaded with the recording

        for screen in self.screen_stack:
            if isinstance(screen, MainScreen):
                screen.count_fares()

    def _do_into(self) -> None:
        from qdbg.app.element import ElementScreen  # noqa: PLC0415 - loaded with the recording

        if not isinstance(self.screen, ElementScreen):
            self.push_screen(ElementScreen())

    def _do_out(self) -> None:
        if not isinstance(self.screen, CommandScreen):
            return
        if len(self.screen_stack) <= LOWEST and self.filter:
            self.set_filter("")
            return
        if len(self.screen_stack) <= LOWEST:
            self._back_from_origin()
            return
        if isinstance(self.screen, OpeningScreen):
            self._stop_opening()
        else:
            self.pop_screen()
        self._redraw()

    def _back_from_origin(self) -> None:
        last = self._debugger.travel.last if self._debugger is not None else None
        if last is not None and last.command.partition(" ")[0] == "origin":
            self._execute("undo")

    def _do_home(self) -> None:
        from qdbg.app.home import HomeScreen  # noqa: PLC0415 - only where it is asked for

        while isinstance(self.screen, OpeningScreen):
            self._stop_opening()
        if not isinstance(self.screen, HomeScreen):
            with suppress(SessionError):  # it is said when the session is left
                self.keep()
            self.push_screen(HomeScreen())

    def _stop_opening(self) -> None:
        self.workers.cancel_group(self, "load")
        self.problem = ""
        self.pop_screen()

    def _do_layers(self) -> None:
        from qdbg.app.layers import LayersScreen  # noqa: PLC0415 - loaded with the recording

        if not isinstance(self.screen, LayersScreen):
            self.push_screen(LayersScreen())

    def _do_explain(self) -> None:
        self.screen.toggle_class("unexplained")

    def _do_theme(self) -> None:
        self.next_theme()

    def _do_picture(self) -> None:
        from qdbg.app.files import free, write_text  # noqa: PLC0415 - only when asked for

        path = free(datetime.now().strftime("qdbg_%Y-%m-%d_%H-%M-%S"), ".svg")
        write_text(path, self.export_screenshot())
        self.notify(f"Picture saved: {path}", markup=False)

    def _do_save(self) -> None:
        from qdbg.saving import default_path, saved  # noqa: PLC0415 - numpy

        path = self.session_path or default_path(self.debugger.recording)
        where = saved(self.debugger, path)
        self.session_path = path
        trace = self.debugger.unchanged
        left = (
            f". Its replay will report {counted(trace.differences, 'difference')}: it keeps the "
            f"arithmetic {trace.arithmetic.name}"
            if trace.differences
            else ""
        )
        self.notify(f"Session saved: {where}{left}", markup=False)

    async def action_quit(self) -> None:
        """Textual's own binding of ctrl+q leaves as q does."""
        self._do_quit()

    def _handle_exception(self, error: Exception) -> None:
        """While everything is taken away, a part that is missed already concerns nobody."""
        if not (self.leaving and isinstance(error, QueryError | ScreenError | WorkerFailed)):
            super()._handle_exception(error)

    def _do_quit(self) -> None:
        if not self.kept_or_told():
            return
        self.leaving = True
        self.exit(BAD_INPUT if self.problem else 0)


assert all(  # noqa: S101 - a command without a handler is a mistake of this file
    hasattr(QdbgApp, "_do_" + name.replace("-", "_")) or command.recorded
    for name, command in BY_ID.items()
)
