"""The first screen: the layers of the file at once, while PyTorch runs the model elsewhere."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widgets import Static

from qdbg.app.grid import Grid
from qdbg.app.keyline import KeyLine
from qdbg.app.screen import CommandScreen
from qdbg.app.widgets import join, title

if TYPE_CHECKING:
    from qdbg.core.program import Model


class StartScreen(CommandScreen):
    """What the file holds, what is being done, and what went wrong."""

    CSS = """
    #title { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #progress { height: auto; min-height: 2; padding: 0 1; background: $surface; }
    #layers { height: 1fr; border: round $border; border-title-color: $foreground; }
    .grid--header { color: $secondary; text-style: bold; }
    .grid--plain { color: $foreground; }
    .grid--selected { background: $block-cursor-background; }
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.model_name = PurePath(name).name

    def compose(self) -> ComposeResult:
        """The title, the words on what happens, the layers."""
        heading = join((" qdbg ", "bold $background on $primary"), (f" {self.model_name}", "bold"))
        yield Static(heading, id="title", markup=False)
        yield Static(id="progress", markup=False)
        yield Grid(id="layers", selectable=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Name the panel."""
        title(self.query_one("#layers"), "layers in the file")

    def show_model(self, model: Model) -> None:
        """List the layers that the file holds."""
        from qdbg.app.sources import LayerTable  # noqa: PLC0415 - numpy, not before first paint

        self.query_one("#layers", Grid).show(LayerTable(model.layers, self.size.width))

    def say(self, words: str, *, problem: bool = False) -> None:
        """Name what is being done, or what is wrong."""
        if problem:
            text = join(("■ ", "bold $warning"), (words, "bold"))
        else:
            text = join(("… ", "bold $accent"), words)
        self.query_one("#progress", Static).update(text)
