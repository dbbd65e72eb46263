"""The layers of the file: weights, scales and zero points."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Footer, Static

from qdbg.app import texts
from qdbg.app.grid import Grid
from qdbg.app.screen import CommandScreen
from qdbg.app.sources import LayerTable
from qdbg.app.widgets import title


class LayersScreen(CommandScreen):
    """What the file holds, layer by layer."""

    CSS = """
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
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Fill the table."""
        grid = self.query_one("#layers", Grid)
        title(grid, "layers in the file", "esc: back")
        layers = self.qdbg.debugger.recording.program.layers
        self.call_after_refresh(grid.show, LayerTable(layers))
