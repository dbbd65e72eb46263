"""The diagnosis: which changed assumption leaves no difference, with its proof."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.events import Resize
from textual.geometry import Size
from textual.widgets import Static
from textual.worker import Worker, get_current_worker

from qdbg.app.dialogs import Choice, Choices, Dialog
from qdbg.app.framed import title
from qdbg.app.grid import Grid, GridColumn, GridRow
from qdbg.app.proofs import Question, headline, proof
from qdbg.app.words import Panel
from qdbg.core.work import Cancelled, Tell, heard_by
from qdbg.engine.diagnose import diagnose
from qdbg.engine.evidence import Evidence, evidence
from qdbg.engine.verdict import Diagnosis, Verdict
from qdbg.headless.output import bar

SHOWN = 40
"""How many changes are listed."""
ROOMY = 100
"""From this width on the verdict has a column."""


class DiagnosisScreen(Dialog[str | None]):
    """Every changed assumption with what it leaves; choosing one gives its arithmetic's name."""

    DEFAULT_CSS = """
    #box { width: 108; height: 90%; }
    #head { height: auto; }
    #proof { height: 1fr; border-top: solid $border; }
    """
    ABOUT = (
        "assumptions of the simulated arithmetic, each changed alone or with others. "
        "leaves: how many elements differ still. What leaves none explains the difference (✓); "
        "'changes more' leaves none either, but replaces more than that. "
        "Below: what it means, what to do, and an element as proof"
    )
    BINDINGS: ClassVar = [
        Binding("j,down", "move(1)", "next assumption"),
        Binding("k,up", "move(-1)", "assumption before"),
        Binding("J", "scroll(1)", "scroll the proof"),
        Binding("K", "scroll(-1)", "scroll it back"),
        Binding("enter", "choose", "simulate with this assumption changed"),
        Binding("escape,q,o,d", "leave", "leave, and nothing has changed"),
        Binding("question_mark,f1", "help", "this help"),
    ]

    def __init__(self, asked: Question) -> None:
        super().__init__()
        self.asked, self.trace, self.call = asked, asked.trace, asked.call
        self.found: Diagnosis | None = None
        self.rows: tuple[Verdict, ...] = ()
        self.at = 0
        self._trying = ("", 0, 0)
        """What is being tried, and how far that is."""
        self._evidence: dict[tuple[str, ...], tuple[Evidence, ...]] = {}

    def compose(self) -> ComposeResult:
        """What differs, the list, the proof and the keys."""
        with Vertical(classes="dialog", id="box"):
            yield Static(id="head", markup=False)
            yield Grid(id="choices")
            yield Panel(id="proof")
            yield Static("", classes="hint", id="hint", markup=False)

    def on_mount(self) -> None:
        """Try the assumptions in a thread."""
        name = self.trace.nodes[self.call].name
        whose = "" if self.asked.side == "PyTorch's" else "golden "
        title(self.query_one("#box"), f"why {whose}{name} differs")
        self._say("trying one changed assumption after the other …")
        self.query_one("#hint", Static).update("esc leave")
        self.query_one("#choices", Grid).styles.height = 1
        self._progress = self.set_interval(0.2, self._show_progress)
        self.run_worker(self._diagnose, thread=True, exclusive=True)

    def _say(self, words: Content | str) -> None:
        self.query_one("#head", Static).update(words)

    def _ends_with(self, worker: Worker[None]) -> Tell:
        """A listener that ends the work when the worker is cancelled or the screen is left."""

        def tell(what: str, done: int, total: int) -> None:
            if worker.is_cancelled or not self.here:
                raise Cancelled("nobody waits for the diagnosis any more")
            self._trying = what, done, total

        return tell

    def _diagnose(self) -> None:
        worker = get_current_worker()
        with suppress(Cancelled), heard_by(self._ends_with(worker)):
            found = diagnose(self.trace, self.call, self.asked.target)
            if not worker.is_cancelled:
                self.from_thread(self._shown, found)

    def _show_progress(self) -> None:
        what, done, total = self._trying
        if total:
            head = "trying one changed assumption after the other …\n"
            self._say(f"{head}{bar(done, total, 30)}  {what}")

    def _shown(self, found: Diagnosis | None) -> None:
        self.found = found
        self._progress.stop()
        if found is None:
            self._say("nothing differs here")
            return
        causes = tuple(variants[0] for variants in found.answers)
        named = {verdict.names for verdict in causes}
        named |= {names for verdict in causes for names in verdict.same_as}
        others = tuple(v for v in found.tried if v.names not in named)
        self.rows = (*causes, *others[: SHOWN - len(causes)])
        self._say(headline(found, self.asked))
        grid = self.query_one("#choices", Grid)
        self._size_list(self.app.size)
        self.query_one("#hint", Static).update(
            "⏎ simulate with it   ↓ ↑ the others   J K scroll the proof   esc leave"
        )
        self.call_after_refresh(grid.show, self._choices(found, self.app.size), 0)
        self.call_after_refresh(self._prove)

    def _choices(self, found: Diagnosis, size: Size) -> Choices:
        rows = tuple(_choice(v, found) for v in self.rows)
        return Choices(_columns(size.width, [choice.row.cells[1] for choice in rows]), rows)

    def on_resize(self, event: Resize) -> None:
        """The list leaves room for the proof, and has the columns that there is room for."""
        self._size_list(event.size)
        if self.found is not None:
            grid = self.query_one("#choices", Grid)
            grid.show(self._choices(self.found, event.size), self.at)

    def _size_list(self, size: Size) -> None:
        if self.rows:
            height = min(len(self.rows) + 1, max(3, size.height // 2 - 5))
            self.query_one("#choices", Grid).styles.height = height

    @property
    def proved(self) -> bool:
        """Whether the selected row is shown with its proof."""
        return bool(self.rows) and self.rows[self.at].names in self._evidence

    def _prove(self) -> None:
        """Show the row's proof; of a large layer it takes a while, in a thread of its own."""
        verdict = self.rows[self.at]
        found = self._evidence.get(verdict.names)
        name = self.trace.nodes[self.call].name
        self.query_one("#proof", Panel).show(proof(verdict, found, name))
        if not self.proved:
            self.run_worker(lambda: self._find_evidence(verdict), thread=True, exclusive=True)

    def _find_evidence(self, verdict: Verdict) -> None:
        worker = get_current_worker()
        with suppress(Cancelled), heard_by(self._ends_with(worker)):
            found = evidence(self.trace, self.call, verdict)
            if not worker.is_cancelled:
                self.from_thread(self._proved, verdict, found)

    def _proved(self, verdict: Verdict, found: tuple[Evidence, ...]) -> None:
        self._evidence[verdict.names] = found
        if self.rows[self.at].names == verdict.names:
            self._prove()

    def action_move(self, rows: int) -> None:
        """Another row."""
        if self.rows:
            self.at = min(max(0, self.at + rows), len(self.rows) - 1)
            self.query_one("#choices", Grid).select(self.at)
            self._prove()

    def action_scroll(self, pages: int) -> None:
        """Scroll the proof."""
        panel = self.query_one("#proof", Panel)
        panel.scroll_lines(pages * max(1, panel.size.height - 1))

    def action_choose(self) -> None:
        """Take its arithmetic."""
        if self.rows:
            base = self.trace.arithmetic.name
            self.dismiss("+".join((base, *self.rows[self.at].names)))

    def action_leave(self) -> None:
        """Take nothing."""
        self.dismiss(None)

    def on_grid_picked(self, event: Grid.Picked) -> None:
        """A click selects the row."""
        self.action_move(event.index - self.at)


def _columns(width: int, left: list[str]) -> tuple[GridColumn, ...]:
    """The verdict is left out where the screen is narrow."""
    wide = width >= ROOMY
    verdict = (GridColumn("verdict", 12, left=True),) if wide else ()
    names = GridColumn("changed assumption", min(54, max(28, width - 28)), left=True)
    return (names, GridColumn("leaves", max(12, *map(len, left))), *verdict)


def _choice(verdict: Verdict, found: Diagnosis) -> Choice:
    explains = verdict in [variants[0] for variants in found.answers]
    words = ("fits" if found.doubt else "explains it") if explains else _verdict(verdict, found)
    name = " + ".join(verdict.names)
    role = "plain" if explains else "muted"
    mark = "✓" if explains else " "
    row = GridRow((name, f"{verdict.left} of {verdict.seen}", words), mark, "", role)
    return Choice(name, row)


def _verdict(verdict: Verdict, found: Diagnosis) -> str:
    if not verdict.left:
        return "so does it" if verdict in found.causes else "changes more"
    if verdict.seen < found.elements:
        return "not enough"
    if verdict.left < found.differences:
        return "not enough"
    return "no effect" if verdict.left == found.differences else "worse"
