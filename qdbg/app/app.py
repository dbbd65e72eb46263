"""The app: loads in the background, then joins the debugger with the screens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from qdbg.app.dialogs import Ask, AskLetter, Help
from qdbg.app.moves import Moves
from qdbg.app.palette import CommandProvider
from qdbg.app.screen import CommandScreen
from qdbg.app.start import StartScreen
from qdbg.commands import BY_ID
from qdbg.errors import CommandError, QdbgError

if TYPE_CHECKING:
    from qdbg.app.plan import Plan
    from qdbg.debugger import Debugger

BAD_INPUT = 2
"""The exit status after bad input."""
ALWAYS = {"help", "theme", "picture", "palette", "quit"}
"""Commands that need no recording."""


class QdbgApp(Moves):
    """One debugger, seen on a few screens."""

    TITLE = "qdbg"
    COMMANDS: ClassVar = {CommandProvider}
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.theme, ascii=plan.ascii)
        self.plan = plan
        self._debugger: Debugger | None = None
        self.leaving = False
        self.problem = ""
        """What was wrong with the input; empty while all is well."""
        self.session_path = plan.session_path

    @property
    def debugger(self) -> Debugger:
        """The debugger; only there once the recording is."""
        if self._debugger is None:
            raise CommandError("the model has not run yet")
        return self._debugger

    def on_mount(self) -> None:
        """Paint the first screen, then load in a thread."""
        self.wear_theme()
        start = StartScreen(self.plan.title)
        self.push_screen(start)
        self.call_after_refresh(self.run_worker, self._load, thread=True, group="load")

    # ------------------------------------------------------------------------- loading

    def _load(self) -> None:
        from qdbg.app.loading import load  # noqa: PLC0415 - numpy, not before the first paint

        def say(words: str) -> None:
            self._from_thread(self._start_screen().say, words)

        try:
            shown = lambda model: self._from_thread(self._start_screen().show_model, model)  # noqa: E731
            debugger = load(self.plan, shown, say, lambda: self.leaving)
        except QdbgError as problem:
            self._from_thread(self._failed, problem)
        else:
            self._from_thread(self._loaded, debugger)

    def _from_thread(self, call: Callable[..., object], *values: object) -> None:
        """Run in the app's own thread, unless it is leaving: nobody would answer then."""
        if not self.leaving:
            self.call_from_thread(call, *values)

    def _start_screen(self) -> StartScreen:
        return next(s for s in self.screen_stack if isinstance(s, StartScreen))

    def _failed(self, problem: QdbgError) -> None:
        self.problem = problem.message
        self._start_screen().say(problem.message, problem=True)

    def _loaded(self, debugger: Debugger) -> None:
        from qdbg.app.main import MainScreen  # noqa: PLC0415 - numpy, not before first paint

        self._debugger = debugger
        self.push_screen(MainScreen())

    # ------------------------------------------------------------------------ commands

    def give(self, name: str, argument: str = "") -> None:
        """Run a command of the table, by its id; ask for what it needs."""
        if self._debugger is None and name not in ALWAYS:
            self._say_not_yet()
            return
        if isinstance(self.screen, CommandScreen) and self.screen.takes(name):
            return
        own = getattr(self, "_do_" + name.replace("-", "_"), None)
        try:
            if own is not None and not argument:
                own()
            else:
                self._execute(f"{name} {argument}".strip())
        except QdbgError as problem:
            self.notify(problem.message, severity="warning", markup=False)

    def _say_not_yet(self) -> None:
        self.clear_notifications()
        self.notify(self.problem or "The model has not run yet.", timeout=3, markup=False)

    def _execute(self, command: str) -> None:
        before = self.debugger.trace
        self.debugger.execute(command)
        self._redraw()
        now = self.debugger.trace
        if (now.feed, now.arithmetic.changes) != (before.feed, before.arithmetic.changes):
            self._count_again()

    def _redraw(self) -> None:
        for screen in reversed(self.screen_stack):
            if isinstance(screen, CommandScreen):
                screen.show_state()
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
        from qdbg.app.main import MainScreen  # noqa: PLC0415 - loaded with the recording

        if isinstance(self.screen, CommandScreen) and not isinstance(self.screen, MainScreen):
            self.pop_screen()
            self._redraw()

    def _do_layers(self) -> None:
        from qdbg.app.layers import LayersScreen  # noqa: PLC0415 - loaded with the recording

        if not isinstance(self.screen, LayersScreen):
            self.push_screen(LayersScreen())

    # ------------------------------------------------------------------------- windows

    def _then(self, name: str, prefix: str = "") -> Callable[[str | None], None]:
        def answered(answer: str | None) -> None:
            if answer is not None:
                self.give(name, prefix + answer)

        return answered

    def _do_go(self) -> None:
        hint = "a layer, a stage or an element: fc1 · fc1.mac · fc1.mac[8]\n"
        hint += f"{self.element_hint()}⏎ go   esc leave"
        self.push_screen(Ask("go to", hint), self._then("go"))

    def _do_mark(self) -> None:
        self.push_screen(AskLetter("mark this place", "press a letter"), self._then("mark"))

    def _do_jump(self) -> None:
        marks = "\n".join(f"{m}  {name}[{i}]" for m, (name, i) in self.debugger.marks.items())
        hint = f"press the letter of a mark\n{marks or 'no mark is set yet: m sets one'}"
        self.push_screen(AskLetter("go to a mark", hint), self._then("go", "'"))

    def _do_arithmetic(self) -> None:
        from qdbg.app.choices import arithmetics  # noqa: PLC0415 - loaded with the recording

        self.push_screen(arithmetics(self.debugger, self.size.width), self._then("arithmetic"))

    def _do_diagnose(self) -> None:
        from qdbg.app.diagnosis import (  # noqa: PLC0415 - loaded with the recording
            DiagnosisScreen,
            question,
        )

        trace = self.debugger.trace
        asked = question(trace, self.debugger.step.call)
        if asked is None:
            raise CommandError(
                f"nothing differs under {trace.arithmetic.name}",
                remedy="a chooses another arithmetic, the textbook's for example.",
            )
        self.push_screen(DiagnosisScreen(asked), self._then("arithmetic"))

    def _do_breakpoints(self) -> None:
        from qdbg.app.choices import breakpoints  # noqa: PLC0415 - loaded with the recording

        self.push_screen(breakpoints(self.debugger), self._then("break"))

    def _do_sessions(self) -> None:
        from qdbg.app.choices import sessions  # noqa: PLC0415 - loaded with the recording

        self.push_screen(sessions(Path("sessions")), self._open_session)

    def _open_session(self, answer: str | None) -> None:
        if answer is None:
            return
        from qdbg.session import load  # noqa: PLC0415 - only when asked for

        try:
            debugger = load(Path(answer)).debugger()
        except QdbgError as problem:
            self.notify(problem.message, severity="warning", markup=False)
            return
        self.session_path = Path(answer)
        while len(self.screen_stack) > 2:  # noqa: PLR2004 - the app's own screen and the start
            self.pop_screen()
        self._loaded(debugger)

    def _do_help(self) -> None:
        self.push_screen(Help())

    def _do_palette(self) -> None:
        self.action_command_palette()

    def _do_explain(self) -> None:
        self.screen.toggle_class("unexplained")

    def _do_theme(self) -> None:
        self.next_theme()

    def _do_picture(self) -> None:
        path = self.save_screenshot(path=".")
        self.notify(f"Picture saved: {Path(path).name}", markup=False)

    def _do_save(self) -> None:
        from qdbg.session import Session, default_path, save  # noqa: PLC0415 - only when asked for

        path = self.session_path or default_path(self.debugger.recording)
        save(Session.of(self.debugger), path)
        self.session_path = path
        trace = self.debugger.trace
        left = (
            f". Its replay will report {trace.differences} differences: it keeps the arithmetic "
            f"{trace.arithmetic.name}"
            if trace.differences
            else ""
        )
        self.notify(f"Session saved: {path}{left}", markup=False)

    async def action_quit(self) -> None:
        """Textual's own binding of ctrl+q leaves as q does."""
        self._do_quit()

    def _do_quit(self) -> None:
        self.leaving = True
        self.exit(BAD_INPUT if self.problem else 0)


assert all(  # noqa: S101 - a command without a handler is a mistake of this file
    hasattr(QdbgApp, "_do_" + name.replace("-", "_")) or command.recorded
    for name, command in BY_ID.items()
)
