"""The drill-down: each product behind one element, and its whole way to the output byte."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.events import Resize
from textual.widgets import Footer, Static

from qdbg.app import texts
from qdbg.app.grid import Grid
from qdbg.app.screen import CommandScreen
from qdbg.app.sources import TermTable
from qdbg.app.widgets import Panel, title
from qdbg.engine.table import Table
from qdbg.engine.terms import terms


class ElementScreen(CommandScreen):
    """One element, from the products to the byte. The same keys move as on the main screen."""

    CSS = """
    #title, #stop { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #stop { background: $surface; }
    #about { height: auto; max-height: 3; padding: 0 1; }
    ElementScreen.alone #about { display: none; }
    #both { height: 1fr; layout: horizontal; }
    #terms { width: 72; height: 1fr; border: round $border; border-title-color: $foreground; }
    #way { width: 1fr; height: 1fr; border: round $border; padding: 0 1;
           border-title-color: $foreground; border-subtitle-color: $foreground;
           border-subtitle-style: bold; scrollbar-size-vertical: 1; }
    #terms.placed { width: 84; }
    ElementScreen.-narrow #both { layout: vertical; }
    ElementScreen.-narrow #terms { width: 1fr; height: 2fr; }
    ElementScreen.-narrow #way { width: 1fr; height: 3fr; }
    ElementScreen.alone #terms { display: none; }
    .grid--header { color: $secondary; text-style: bold; }
    .grid--plain { color: $foreground; }
    .grid--cut { color: $warning; text-style: bold; }
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - textual declares the list

    def compose(self) -> ComposeResult:
        """Two header lines, the products, the way, and the footer."""
        yield Static(id="title", markup=False)
        yield Static(id="stop", markup=False)
        yield Static(id="about", markup=False)
        with Container(id="both"):
            yield Grid(id="terms", selectable=False)
            yield Panel(id="way")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Draw the state."""
        self.show_state()

    def on_resize(self, event: Resize) -> None:
        """Draw again: the texts depend on the size."""
        del event
        self.call_after_refresh(self.show_state)

    def show_state(self) -> None:
        """Draw the element under the cursor."""
        debugger = self.qdbg.debugger
        step, element = debugger.step, debugger.element
        trace = debugger.trace
        result = trace.step(trace.first_steps[step.call + 1] - 1)
        found = terms(step, element, trace.captured_arithmetic)
        self.set_class(found is None, "alone")
        grid = self.query_one("#terms", Grid)
        if found is not None:
            table = TermTable(found)
            grid.set_class(table.placed, "placed")
            grid.show(table)
            self.call_after_refresh(grid.select, table.first_look)
            kind = "pairs" if found.paired else "products"
            name = self._element_name()
            heading = f"{kind} behind {name}, as {found.arithmetic} adds them"
            title(grid, heading, texts.headroom(found))
        title_line = texts.title_line(debugger, self.size.width)
        self.query_one("#title", Static).update(title_line, layout=False)
        stop_line = texts.stop_line(debugger, self.size.width)
        self.query_one("#stop", Static).update(stop_line, layout=False)
        way = self.query_one("#way", Panel)
        title(way, f"the way of {self._element_name()}", texts.outcome(step, result, element))
        way.show(*texts.way_panel(step, element))
        about = texts.about_sum(step, element, found) if found is not None else Content("")
        self.query_one("#about", Static).update(about)

    def scroll_beside(self, pages: int) -> None:
        """Scroll the products and the way."""
        for panel in (self.query_one("#terms", Grid), self.query_one("#way", Panel)):
            rows = max(1, panel.size.height - 2)
            panel.scroll_relative(y=pages * rows, animate=False)

    def _element_name(self) -> str:
        step = self.qdbg.debugger.step
        position = Table(step).position(self.qdbg.debugger.element)
        if step.of_inputs:
            return f"input {position} of {step.node.name}"
        return f"{step.node.name}[{position}]"
