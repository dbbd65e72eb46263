"""The main screen: steps, table, formula, range, and how the arithmetics fare."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen

from qdbg.app import texts
from qdbg.app.around import spread_lines, way_lines
from qdbg.app.changed import CAPTURED
from qdbg.app.counting import Counting
from qdbg.app.framed import Row, Stack, title
from qdbg.app.grid import Grid
from qdbg.app.keyline import KeyLine
from qdbg.app.picture import FeatureMap
from qdbg.app.pictured import Pictured, part_title, views_line
from qdbg.app.sources import Rail, StepTable
from qdbg.app.watching import LEAST_WATCHES, MOST_WATCHES, watch_lines
from qdbg.app.words import Panel, Words
from qdbg.engine.step import Step
from qdbg.engine.table import Table


class MainScreen(Counting):
    """The table of one stage, and everything around it."""

    DEFAULT_CSS = """
    #title, #stop { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #stop { background: $surface; }
    #body { height: 1fr; }
    #rail { width: 27; border: round $border; border-title-color: $secondary; }
    #middle { width: 1fr; }
    #table { height: 1fr; border: round $border; border-title-color: $foreground; }
    #formula {
        width: 41; border: round $border; padding: 0 1; border-title-color: $secondary;
    }
    #map { height: 1fr; border: round $border; border-title-color: $foreground; display: none; }
    #table, #map { border-subtitle-color: $secondary; }
    MainScreen.pictured #table { display: none; }
    MainScreen.pictured #map { display: block; }
    #passage, #spread {
        border: round $border; border-title-color: $secondary; padding: 0 1; text-wrap: nowrap;
        text-overflow: ellipsis; display: none;
    }
    #passage { height: 8; }
    #spread { height: 7; }
    MainScreen.-high #passage, MainScreen.-high #spread { display: block; }
    MainScreen.-high #range { display: none; }
    MainScreen.-huge #rail { width: 32; }
    MainScreen.-huge #formula { width: 62; }
    MainScreen.pictured #spread { display: none; }
    MainScreen.pictured #passage { display: none; }
    #below { height: 6; padding: 0 2; display: none; }
    #range { height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #survey { height: 2; background: $surface; text-wrap: nowrap; text-overflow: ellipsis; }
    #watches { height: auto; max-height: 6; padding: 0 1; border-left: thick $accent;
               text-wrap: nowrap; text-overflow: ellipsis; display: none; }
    MainScreen.watching #watches { display: block; }
    MainScreen.unwatched #watches { display: none; }
    MainScreen.-short #watches { max-height: 2; }
    MainScreen.-tiny #watches { display: none; }
    #legend { height: 1; padding: 0 1; color: $secondary; text-wrap: nowrap; }
    MainScreen.-narrow #rail { display: none; }
    MainScreen.-narrow #formula { display: none; }
    MainScreen.-narrow #below { display: block; }
    MainScreen.-short #legend, MainScreen.-tiny #legend { display: none; }
    MainScreen.-short #range, MainScreen.-tiny #range { display: none; }
    MainScreen.-short #below { height: 3; }
    MainScreen.-tiny #below { display: none; }
    MainScreen.-tiny #survey { height: 1; }
    MainScreen.pictured #below { display: none; }
    MainScreen.unexplained #formula { display: none; }
    MainScreen.unexplained #below { display: none; }
    .grid--header { color: $secondary; text-style: bold; }
    .grid--plain { color: $foreground; }
    .grid--muted { color: $secondary; }
    .grid--differs { color: $warning; text-style: bold; }
    .grid--cut { color: $accent; }
    .grid--selected { background: $block-cursor-background; }
    """

    @property
    def place(self) -> tuple[str, tuple[str, ...]]:
        """The table, or the picture in its place."""
        moves = ("view", "next-channel", "previous-channel", "next-plane", "previous-plane")
        if self.has_class("pictured"):
            return "the picture of a channel", ("left", "right", "up", "down", *moves, "into", "go")
        here = ("next", "back", "continue", "next-difference", "down", "up", "into", "filter")
        return "the table of a stage", (*here, "set", "copy", "diagnose", "arithmetic", "view")

    AUTO_FOCUS = ""  # only a picture that is seen takes the arrow keys
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide"), (160, "-huge")]  # noqa: RUF012 - textual declares the list
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (16, "-short"), (23, "-tall"), (38, "-high")]  # noqa: RUF012 - as above

    def __init__(self) -> None:
        super().__init__()
        self._rail: Rail | None = None
        self._table: StepTable | None = None
        self._strip: tuple[Step, Size] | None = None
        """What the range strip was drawn for: it goes over every element."""

    def compose(self) -> ComposeResult:
        """Two header lines, three panels, three lines below, and the footer."""
        yield Words(id="title")
        yield Words(id="stop")
        with Row(id="body"):
            yield Grid(id="rail", header=False)
            with Stack(id="middle"):
                yield Grid(id="table")
                yield Pictured(id="map")
                yield Words(id="passage")
                yield Words(id="spread")
                yield Words(id="below")
            yield Panel(id="formula")
        yield Words(id="watches")
        yield Words(id="range")
        yield Words(id="legend")
        yield Words(id="survey")
        yield KeyLine()

    def on_mount(self) -> None:
        """Draw the state, and count the differences of every arithmetic in the background."""
        self.screen_layout_refresh_signal.subscribe(self, self._laid_out)
        title(self.query_one("#rail"), "steps")
        title(self.query_one("#formula"), "formula")
        self.tell_counting()
        self.show_state()
        self.count_fares()
        self.qdbg.offer()

    def on_resize(self, event: Resize) -> None:
        """Draw again: the texts depend on the size."""
        del event
        if not self.qdbg.busy:
            self.call_after_refresh(self.draw_again)

    def show_state(self) -> None:
        """Draw the step, the element, and everything that follows from them."""
        debugger = self.qdbg.debugger
        step, element = debugger.step, debugger.element
        self._say("#title", texts.title_line(debugger, self.size.width))
        self._say("#stop", texts.stop_line(debugger, self.size.width))
        self._show_rail()
        self._show_elements(step, element)
        if self.has_class("-narrow"):
            self._say("#below", texts.short_formula(step, element))
        else:
            self.query_one("#formula", Panel).show(texts.formula_panel(step, element))
        self._show_around(step, element)
        self._say("#legend", self._legend())
        self.show_survey()
        self._show_watches()

    def _show_watches(self) -> None:
        """A line per watch; the panel is only there where something is watched."""
        debugger = self.qdbg.debugger
        self.set_class(bool(debugger.watches.all), "watching")
        if debugger.watches.all:
            most = LEAST_WATCHES if self.has_class("-narrow") else MOST_WATCHES
            self._say("#watches", watch_lines(debugger, self.size.width - 4, most))

    def _legend(self) -> Content:
        trace = self.qdbg.debugger.trace
        changed = trace.original is not None
        return texts.legend(self.size.width, golden=bool(trace.golden), changed=changed)

    def _show_elements(self, step: Step, element: int) -> None:
        """Show the element among the others as the view has it: in a table, or in a picture."""
        if self._table is not None and self._table.table.reading != self.qdbg.reading:
            self._table = None
        if self._table is None or not self._table.shows(self.qdbg.debugger.trace, step):
            self._table = StepTable(self.qdbg.debugger.trace, step, self.qdbg.reading)
        view, axes = self.qdbg.view, self._table.axes
        kept = self.qdbg.kept()
        self._table = self._table.part(view, element).filtered(kept)
        shown = self.query_one("#table", Grid)
        pictured = view == "picture" and bool(axes.spatial)
        self._set_pictured(pictured)
        frame = self.query_one("#map", Pictured)
        if pictured:
            frame.show(step, element)
        else:
            shown.show(self._table, self._table.row_of(element))
        words = self._table_title(part_title(axes, view, element))
        if kept is not None:
            count = f"{kept.size:,} of {step.size:,}"
            words = f"{words.partition('   ')[0]}   / {self.qdbg.filter}: {count}"
        below = "esc: all rows" if kept is not None else views_line(step, view)
        if step.original is not None:
            below = f"{CAPTURED} · {below}" if below else CAPTURED
        title(frame if pictured else shown, words, below)

    def _show_around(self, step: Step, element: int) -> None:
        """Show how the values lie, and the element's way: with bars where there is room."""
        size = self._room_of_strip
        if self.has_class("-high"):
            way = self.query_one("#passage")
            title(way, f"{Table(step).name_of(element)} through its layer")
            self._say("#passage", way_lines(step, element, way.content_size.height))
        if self._strip == (step, size):
            return
        self._strip = step, size
        if self.has_class("-high"):
            words = "the only value" if step.size == 1 else f"all {step.size} values"
            title(self.query_one("#spread"), words)
            self._say("#spread", spread_lines(step, size.width, size.height))
        else:
            self._say("#range", texts.range_strip(step, size.width))

    @property
    def _room_of_strip(self) -> Size:
        return self.query_one("#spread").content_size if self.has_class("-high") else self.size

    def _laid_out(self, screen: Screen[object]) -> None:
        """Behind a window the layout comes later than the window's next refresh."""
        fits = self._strip is None or self._strip[1] == self._room_of_strip
        if screen is self and not fits and not self.qdbg.busy:
            debugger = self.qdbg.debugger
            self._show_around(debugger.step, debugger.element)

    def _set_pictured(self, pictured: bool) -> None:
        """The picture takes the arrow keys while it is there."""
        if pictured != self.has_class("pictured"):
            self.set_class(pictured, "pictured")
            self.set_focus(self.query_one("#map", Pictured).map if pictured else None)
            self.call_after_refresh(self.draw_again)

    def _say(self, selector: str, content: Content) -> None:
        self.query_one(selector, Words).say(content)

    def _show_rail(self) -> None:
        debugger = self.qdbg.debugger
        if self._rail is None or self._rail.trace is not debugger.trace:
            self._rail = Rail(debugger.trace)
        rail = self.query_one("#rail", Grid)
        rail.show(self._rail, self._rail.line_of(debugger.stop.mark.step))

    def _table_title(self, part: str) -> str:
        step = self.qdbg.debugger.step
        shape = "×".join(str(n) for n in step.shape)
        part = f"   {part}" if part else ""
        if step.stage is None:
            return f"{step.node.name} › result{part}   {step.node.dtype} {shape}"
        form = step.stage.form.partition("[")[0].strip()
        if form == "byte":
            form = step.node.dtype
        return f"{step.node.name} › {step.stage.name}{part}   {step.stage.output}: {form} {shape}"

    def on_grid_picked(self, event: Grid.Picked) -> None:
        """A click selects an element, or goes to a step; a double click goes into the element."""
        event.stop()
        if event.grid.id == "rail" and self._rail is not None:
            line = self._rail.lines[event.index]
            first = self.qdbg.debugger.trace.first_steps
            step = line.step if line.step is not None else first[line.call]
            self.qdbg.give("go", self.qdbg.debugger.trace.step(step).name)
        else:
            self.qdbg.give("element", str(self._table.element(event.index) if self._table else 0))
            self._into(event.twice)

    def on_feature_map_picked(self, event: FeatureMap.Picked) -> None:
        """A click selects a pixel; a double click goes into it."""
        event.stop()
        self.qdbg.give("element", str(event.element))
        self._into(event.twice)

    def _into(self, wanted: bool) -> None:
        if wanted:
            self.qdbg.give("into")

    def scroll_beside(self, pages: int) -> None:
        """Scroll the formula."""
        panel = self.query_one("#formula", Panel)
        panel.scroll_lines(pages * max(1, panel.size.height // 2))

    def page(self) -> int:
        """Half the rows of the table, or of the picture."""
        if self.has_class("pictured"):
            return self.query_one("#map", Pictured).map.half
        return max(1, self.query_one("#table", Grid).size.height // 2)
