"""The drill-down: each product behind one element, and its whole way to the output byte."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.events import Resize

from qdbg.app import texts
from qdbg.app.framed import Row, Stack, title
from qdbg.app.grid import Grid
from qdbg.app.keyline import KeyLine
from qdbg.app.products import TermTable
from qdbg.app.screen import CommandScreen
from qdbg.app.sights import sight_hint, sight_panel, sight_title
from qdbg.app.words import Panel, Words
from qdbg.engine.sight import Sight, sight
from qdbg.engine.step import Step
from qdbg.engine.table import Table
from qdbg.engine.terms import Terms, terms
from qdbg.places import find_place

WIDE, FRAME = 84, 4
"""How wide the products of a convolution are; and what a frame with its blanks takes."""


class ElementScreen(CommandScreen):
    """One element, from the products to the byte. The same keys move as on the main screen."""

    DEFAULT_CSS = """
    #title, #stop { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #stop { background: $surface; }
    #about { height: auto; max-height: 3; padding: 0 1; }
    ElementScreen.alone #about { display: none; }
    #both { height: 1fr; }
    #left { width: 72; height: 1fr; }
    #terms { height: 1fr; border: round $border; border-title-color: $foreground;
             border-subtitle-color: $secondary; }
    #window { height: auto; max-height: 14; border: round $border; padding: 0 1;
              border-title-color: $foreground; border-subtitle-color: $secondary; }
    #way { width: 1fr; height: 1fr; border: round $border; padding: 0 1;
           border-title-color: $foreground; border-subtitle-color: $foreground;
           border-subtitle-style: bold; }
    ElementScreen.placed #left { width: 84; }
    ElementScreen.-narrow #both { layout: vertical; }
    ElementScreen.-narrow #left { width: 1fr; height: 2fr; }
    ElementScreen.-narrow #way { width: 1fr; height: 3fr; }
    ElementScreen.-narrow #window { height: 1fr; max-height: 100%; }
    ElementScreen.alone #left { display: none; }
    #window { display: none; }
    ElementScreen.sighted #window { display: block; }
    ElementScreen.sighted.-narrow #terms { display: none; }
    .grid--header { color: $secondary; text-style: bold; }
    .grid--plain { color: $foreground; }
    .grid--cut { color: $warning; text-style: bold; }
    """

    @property
    def place(self) -> tuple[str, tuple[str, ...]]:
        """What is seen here, for the help."""
        here = ("out", "down", "up", "next", "back", "view", "next-plane", "scroll-down")
        return "the computation of one element", (*here, "base", "values", "set", "copy", "code")

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - textual declares the list

    def __init__(self) -> None:
        super().__init__()
        self._sight: Sight | None = None
        self._plane: int | None = None
        """Which of the planes that the element reads is shown; None: the most telling one."""
        self._call = -1
        self._windowed: bool | None = None
        """Whether the window is shown; None: where there is room for it beside the products."""

    def compose(self) -> ComposeResult:
        """Two header lines, the products, the way, and the footer."""
        yield Words(id="title")
        yield Words(id="stop")
        yield Words(id="about")
        with Row(id="both"):
            with Stack(id="left"):
                yield Grid(id="terms", selectable=False)
                yield Words(id="window")
            yield Panel(id="way")
        yield KeyLine()

    def on_mount(self) -> None:
        """Draw the state."""
        self.show_state()

    def on_resize(self, event: Resize) -> None:
        """Draw again: the texts depend on the size."""
        del event
        self.call_after_refresh(self.draw_again)

    def show_state(self) -> None:
        """Draw the element under the cursor."""
        debugger = self.qdbg.debugger
        step, element = debugger.step, debugger.element
        trace = debugger.trace
        result = trace.step(trace.first_steps[step.call + 1] - 1)
        found = terms(step, element, trace.captured_arithmetic)
        self._sight = sight(step, element, found, self._chosen_plane(step.call))
        table = None
        if found is not None:
            table = TermTable(found, self._before(step, element), self.qdbg.reading)
        self._arrange(table)
        if found is not None and table is not None:
            grid = self.query_one("#terms", Grid)
            grid.show(table, table.first_look)
            kind = "pairs" if found.paired else "products"
            name = self._element_name()
            heading = f"{kind} behind {name}, as {found.arithmetic} adds them"
            title(grid, heading, texts.headroom(found))
        self._show_window()
        self.query_one("#title", Words).say(texts.title_line(debugger, self.size.width))
        self.query_one("#stop", Words).say(texts.stop_line(debugger, self.size.width))
        way = self.query_one("#way", Panel)
        title(way, f"the way of {self._element_name()}", texts.outcome(step, result, element))
        way.show(*texts.way_panel(step, element))
        about = texts.about_sum(step, element, found) if found is not None else Content("")
        self.query_one("#about", Words).say(about)

    def _before(self, step: Step, element: int) -> Terms | None:
        """The products in the original run, where numbers are changed."""
        original = self.qdbg.debugger.trace.original
        place = None if original is None else find_place(original, step.name)
        if original is None or place is None:
            return None
        before = original.step(place.step)
        same = before.shape == step.shape
        return terms(before, element, original.captured_arithmetic) if same else None

    def _chosen_plane(self, call: int) -> int | None:
        """The one that was chosen for this call."""
        if call != self._call:
            self._call, self._plane = call, None
        return self._plane

    def _arrange(self, table: TermTable | None) -> None:
        """Give what is there its place, at one go: a screen is laid out for each change."""
        wide = not self.has_class("-narrow")
        seen = self._sight is not None and (wide if self._windowed is None else self._windowed)
        placed = table is not None and table.placed
        self.update_classes({"alone": table is None, "placed": placed, "sighted": seen})

    def _show_window(self) -> None:
        """Show which pixels the element reads."""
        seen = self._sight
        if seen is not None and self.has_class("sighted"):
            panel = self.query_one("#window", Words)
            width = WIDE if self.has_class("-wide") else self.size.width
            title(panel, sight_title(seen), sight_hint(seen))
            panel.say(sight_panel(seen, width - FRAME))

    def takes(self, name: str) -> bool:
        """Show or hide the window, or show another plane of it."""
        seen = self._sight
        if name not in {"view", "next-plane", "previous-plane"}:
            return False
        if seen is None:
            if name == "view":
                self.notify("Only an element of a convolution reads a window.", markup=False)
            return name == "view"
        if name == "view":
            self._windowed = not self.has_class("sighted")
        else:
            by = 1 if name == "next-plane" else -1
            self._plane = min(max(0, seen.plane + by), seen.planes - 1)
        self.show_state()
        return True

    def scroll_beside(self, pages: int) -> None:
        """Scroll the products and the way."""
        for panel in (self.query_one("#terms", Grid), self.query_one("#way", Panel)):
            rows = max(1, panel.size.height - 2)
            panel.scroll_lines(pages * rows)

    def _element_name(self) -> str:
        return Table(self.qdbg.debugger.step).name_of(self.qdbg.debugger.element)
