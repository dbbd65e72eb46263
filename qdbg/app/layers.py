"""The layers of the file: weights, scales and zero points."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.events import Resize
from textual.widgets import Static

from qdbg.app import texts
from qdbg.app.framed import title
from qdbg.app.grid import Grid
from qdbg.app.keyline import KeyLine
from qdbg.app.screen import CommandScreen
from qdbg.app.sources import LayerTable
from qdbg.commands import BY_ID
from qdbg.core.weights import with_parts

ROWS = {"down": 1, "up": -1, "scroll-down": 10, "scroll-up": -10, "page-down": 10, "page-up": -10}
"""How far these commands scroll the list; 10 stands for a page."""
ENDS = ("first", "last")
PAGE = 10
ELEMENTS = ("into", "view")
"""Commands that are about the element under the cursor, which this screen does not show."""


class LayersScreen(CommandScreen):
    """What the file holds, layer by layer."""

    DEFAULT_CSS = """
    #title { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #layers { height: 1fr; border: round $border; border-title-color: $foreground; }
    .grid--header { color: $secondary; text-style: bold; }
    .grid--plain { color: $foreground; }
    """

    def compose(self) -> ComposeResult:
        """The title and the table."""
        yield Static(
            texts.title_line(self.qdbg.debugger, self.app.size.width), id="title", markup=False
        )
        yield Grid(id="layers", selectable=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Fill the table."""
        title(self.query_one("#layers", Grid), "layers in the file", "j k: scroll   esc: back")
        self.call_after_refresh(self._fill)

    def on_resize(self, event: Resize) -> None:
        """The columns depend on the width."""
        del event
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        layers = with_parts(self.qdbg.debugger.recording.program.layers.values())
        self.query_one("#layers", Grid).show(LayerTable(layers, self.size.width))

    def takes(self, name: str) -> bool:
        """Scroll the list."""
        grid = self.query_one("#layers", Grid)
        if name in ROWS:
            rows = ROWS[name]
            step = max(1, grid.size.height - 2) if abs(rows) == PAGE else 1
            grid.scroll_lines(step if rows > 0 else -step)
            return True
        if name in ENDS:
            grid.see_from(0 if name == "first" else grid.length)
            return True
        return False

    def means(self, name: str) -> bool:
        """Nothing that moves the debugger, or is about the element under its cursor."""
        return name in ROWS or name in ENDS or not (name in ELEMENTS or BY_ID[name].recorded)
