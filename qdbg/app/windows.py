"""The commands that ask: each opens a window and does what its answer says."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from qdbg.app.dialogs import Ask, AskLetter, Help
from qdbg.app.palette import Palette
from qdbg.app.plan import plan_of_words
from qdbg.app.screen import CommandScreen
from qdbg.app.touring import Touring
from qdbg.commands import BY_ID
from qdbg.errors import CommandError

if TYPE_CHECKING:
    from qdbg.engine.survey import Fare
    from qdbg.engine.trace import Trace

T = TypeVar("T")


class Windows(Touring):
    """Windows over the screen, from the choice of an arithmetic to the help."""

    @abstractmethod
    def work(self, heading: str, job: Callable[[], T], then: Callable[[T], None]) -> None:
        """Do the job, in a thread where it takes long, and take what it gives."""

    @abstractmethod
    def _execute(self, command: str) -> None:
        """Run a command of the debugger and draw what it did."""

    def _then(self, name: str, prefix: str = "") -> Callable[[str | None], None]:
        def answered(answer: str | None) -> None:
            if answer is not None:
                self.give(name, prefix + answer)

        return answered

    def _do_go(self) -> None:
        from qdbg.app.naming import names  # noqa: PLC0415 - loaded with the recording

        def answered(answer: str | None) -> None:
            name, _, argument = (answer or "").partition(" ")
            if name in BY_ID:
                self.give(name, argument.strip())
            elif answer is not None:
                self.give("go", answer)

        hint = "a layer, a stage or an element: fc1 · fc1.mac · fc1.mac[8]\n"
        hint += f"{self.element_hint()}or a command: set fc1.b[8] = 0.5\n"
        hint += "→ complete the name   ⏎ go   esc leave"
        self.push_screen(Ask("go to, or run", hint, names=names(self.debugger.trace)), answered)

    def _do_filter(self) -> None:
        from qdbg.engine.finding import FORMS  # noqa: PLC0415 - loaded with the recording

        def answered(answer: str | None) -> None:
            if answer is not None:
                with self.problems_told():
                    self.set_filter(answer)

        self.push_screen(Ask("show only", f"{FORMS}\n⏎ filter   esc leave", self.filter), answered)

    def _do_mark(self) -> None:
        self.push_screen(AskLetter("mark this place", "press a letter"), self._then("mark"))

    def _do_jump(self) -> None:
        marks = "\n".join(f"{m}  {name}[{i}]" for m, (name, i) in self.debugger.marks.items())
        hint = f"press the letter of a mark\n{marks or 'no mark is set yet: m sets one'}"
        self.push_screen(AskLetter("go to a mark", hint), self._then("go", "'"))

    def _do_arithmetic(self) -> None:
        from qdbg.app.choices import arithmetics  # noqa: PLC0415 - loaded with the recording
        from qdbg.engine.survey import survey  # noqa: PLC0415 - loaded with the recording

        debugger, trace = self.debugger, self.debugger.trace

        def choose(fares: tuple[Fare, ...]) -> None:
            made = arithmetics(debugger, fares)
            self.push_screen(made, self._then("arithmetic"))

        counted = self._counted_fares(trace)
        if counted:
            choose(counted)
            return
        self.work(
            "comparing the arithmetics",
            lambda: survey(debugger.recording, trace.feed, trace.arithmetic),
            choose,
        )

    def _counted_fares(self, trace: Trace) -> tuple[Fare, ...]:
        """Those on the main screen, if they are of this trace's feed and arithmetic."""
        from qdbg.app.main import MainScreen  # noqa: PLC0415 - loaded with the recording

        found = next(s for s in self.screen_stack if isinstance(s, MainScreen))
        known = any(trace.arithmetic.name in fare.names for fare in found.fares)
        return found.fares if known and found.feed == trace.feed else ()

    def _do_set(self) -> None:
        from qdbg.app.changed import ask, numbers  # noqa: PLC0415 - loaded with the recording

        def chosen(name: str | None) -> None:
            if name is not None:
                self.push_screen(ask(self.debugger, name), self._then("set"))

        self.push_screen(numbers(self.debugger), chosen)

    def _do_changes(self) -> None:
        from qdbg.app.changed import changes  # noqa: PLC0415 - loaded with the recording

        self.push_screen(changes(self.debugger), self._then("unset"))

    def _do_copy(self) -> None:
        from qdbg.app.copying import choices, text_of  # noqa: PLC0415 - loaded with the recording

        def chosen(what: str | None) -> None:
            if what is not None:
                with self.problems_told():
                    self._copy(*text_of(self.debugger, what))

        self.push_screen(choices(self.debugger), chosen)

    def _do_code(self) -> None:
        from qdbg.app.copying import languages, program  # noqa: PLC0415 - loaded with the recording

        def chosen(what: str | None) -> None:
            if what is not None:
                with self.problems_told():
                    self._copy(*program(self.debugger, what))

        self.push_screen(languages(self.debugger), chosen)

    def _copy(self, text: str, words: str) -> None:
        """Copy through the terminal; where the text is empty the words say where it was saved."""
        if text:
            self.copy_to_clipboard(text)
            words += (
                " copied (by OSC 52, which macOS Terminal and some others ignore: save it there)"
            )
        self.notify(words, markup=False)

    def _do_diagnose(self) -> None:
        from qdbg.app.diagnosis import DiagnosisScreen  # noqa: PLC0415 - loaded with the recording
        from qdbg.app.proofs import question  # noqa: PLC0415 - as above

        trace = self.debugger.trace
        if trace.original is not None:
            raise CommandError(
                "PyTorch did not run the changed numbers, so there is nothing to explain",
                remedy="z shows the original run, whose differences d explains.",
            )
        asked = question(trace, self.debugger.step.call)
        if asked is None:
            compared = any(c.status != "not simulated" for c in trace.comparisons)
            raise CommandError(
                f"nothing {'differs' if compared else 'can be compared'} under"
                f" {trace.arithmetic.name}",
                remedy="a chooses another arithmetic, the textbook's for example.",
            )
        self.push_screen(DiagnosisScreen(asked), self._then("arithmetic"))

    def _do_breakpoints(self) -> None:
        from qdbg.app.lists import breakpoint_list  # noqa: PLC0415 - loaded with the recording

        self.push_screen(breakpoint_list(self.debugger, self.size.width))

    def _do_watches(self) -> None:
        from qdbg.app.lists import watch_list  # noqa: PLC0415 - loaded with the recording

        self.push_screen(watch_list(self.debugger, self.size.width))

    def _do_watch_panel(self) -> None:
        from qdbg.app.main import MainScreen  # noqa: PLC0415 - loaded with the recording

        for screen in self.screen_stack:
            if isinstance(screen, MainScreen):
                screen.toggle_class("unwatched")

    def _do_origin(self) -> None:
        from qdbg.app.lists import origin_list  # noqa: PLC0415 - loaded with the recording

        if len(self.debugger.origins) > 1:
            self.push_screen(origin_list(self.debugger), self._then("origin"))
        else:
            self._execute("origin")

    def _do_sessions(self) -> None:
        from qdbg.app.choices import sessions  # noqa: PLC0415 - loaded with the recording

        self.push_screen(sessions(Path("sessions")), self._open_session)

    def _open_session(self, answer: str | None) -> None:
        if answer is not None:
            self.open(plan_of_words([answer]))

    def _do_help(self) -> None:
        here = self.screen.place if isinstance(self.screen, CommandScreen) else ("", ())
        self.push_screen(Help(*here))

    def _do_palette(self) -> None:
        self.action_command_palette()

    def action_command_palette(self) -> None:
        """Textual's name for it."""
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())
