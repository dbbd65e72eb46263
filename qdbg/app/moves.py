"""The moves on the screen: along the rows of what is shown, and along the axes of the elements."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from qdbg.app.looks import Looks
from qdbg.app.screen import CommandScreen
from qdbg.errors import CommandError
from qdbg.names import VIEWS

if TYPE_CHECKING:
    from qdbg.core.quantity import Array
    from qdbg.debugger import Debugger
    from qdbg.engine.browse import Axes
    from qdbg.engine.reading import Reading
    from qdbg.engine.step import Step

NOT_THERE = {
    "base": "This one has no integers.",
    "values": "The integers of this one have no real values.",
}
"""What is said where it changes nothing in the table that is shown."""


class Moves(Looks):
    """The commands that select another element of the stage, and what of it is seen."""

    view = VIEWS[0]
    """How the elements of an image are shown."""

    _reading: Reading | None = None
    filter = ""
    """Which elements of a table are shown; empty for all."""
    _matched: tuple[Step, str, Array] | None = None

    @property
    @abstractmethod
    def debugger(self) -> Debugger:
        """The debugger; only there once the recording is."""

    @abstractmethod
    def give(self, name: str, argument: str = "") -> None:
        """Run a command of the table."""

    @property
    def axes(self) -> Axes:
        """The axes of the stage's elements."""
        from qdbg.engine.browse import axes_of  # noqa: PLC0415 - numpy, not before first paint

        return axes_of(self.debugger.step)

    def element_hint(self) -> str:
        """How an element of this stage is typed, where it lies on several axes."""
        axes = self.axes
        if len(axes.letters) < 2:  # noqa: PLR2004 - one number says it
            return ""
        own = ",".join(axes.letters)
        torch = "".join(axes.letters[i] for i in axes.torch_order)
        other = f" · [{torch} {','.join('0' * len(torch))}]" if torch else ""
        return f"of this stage: [{own}]{other} · [{axes.letters[-1]}=2]\n"

    def kept(self) -> Array | None:
        """The elements of this stage that the filter keeps; None without one, and in a picture."""
        from qdbg.engine.finding import elements  # noqa: PLC0415 - loaded with the recording

        step, text = self.debugger.step, self.filter
        if not text or (self.view == "picture" and self.axes.spatial):
            return None
        if self._matched is None or self._matched[0] is not step or self._matched[1] != text:
            self._matched = step, text, elements(self.debugger.trace, step, text)
        return self._matched[2]

    def set_filter(self, text: str) -> None:
        """Show only what the text describes. Raises CommandError; the old filter stays then."""
        from qdbg.engine.finding import elements  # noqa: PLC0415 - loaded with the recording

        step = self.debugger.step
        if text:
            self._matched = step, text, elements(self.debugger.trace, step, text)
        self.filter = text
        kept = self.kept()
        if kept is not None and kept.size and self.debugger.element not in kept:
            self.give("element", str(int(kept[0])))
        elif isinstance(self.screen, CommandScreen):
            self.screen.show_state()

    def _among(self, kept: Array, by: int) -> None:
        """Another one of the elements that the filter keeps."""
        if kept.size:
            here = int(kept.searchsorted(self.debugger.element))
            self.give("element", str(int(kept[min(max(0, here + by), kept.size - 1)])))

    def _along(self, axes: tuple[int, ...], by: int) -> None:
        if not self.debugger.step.size:
            return
        here = self.debugger.element
        wanted = self.axes.moved(axes, here, by)
        if wanted != here:
            self.give("element", str(wanted))

    def _rows(self, by: int) -> None:
        kept = self.kept()
        if kept is not None:
            self._among(kept, by)
            return
        self._along(self.axes.seen(self.view), by)

    def _page(self) -> int:
        return self.screen.page() if isinstance(self.screen, CommandScreen) else 1

    def _ends(self) -> tuple[tuple[int, ...], int]:
        """What `first` and `last` run along, and how far that is at most."""
        axes = self.axes
        picture = self.view == "picture" and axes.spatial
        along = (*axes.rows, *axes.columns) if picture else axes.seen(self.view)
        return along, axes.size(along)

    def _do_down(self) -> None:
        self._rows(1)

    def _do_up(self) -> None:
        self._rows(-1)

    def _do_page_down(self) -> None:
        self._rows(self._page())

    def _do_page_up(self) -> None:
        self._rows(-self._page())

    def _do_first(self) -> None:
        kept = self.kept()
        if kept is not None:
            self._among(kept, -kept.size)
            return
        along, size = self._ends()
        self._along(along, -size)

    def _do_last(self) -> None:
        kept = self.kept()
        if kept is not None:
            self._among(kept, kept.size)
            return
        along, size = self._ends()
        self._along(along, size)

    def _do_left(self) -> None:
        self._along(self.axes.columns, -1)

    def _do_right(self) -> None:
        self._along(self.axes.columns, 1)

    def _do_next_channel(self) -> None:
        self._along(self.axes.channels, 1)

    def _do_previous_channel(self) -> None:
        self._along(self.axes.channels, -1)

    def _do_next_plane(self) -> None:
        self._along(self.axes.planes, 1)

    def _do_previous_plane(self) -> None:
        self._along(self.axes.planes, -1)

    def _do_scroll_down(self) -> None:
        if isinstance(self.screen, CommandScreen):
            self.screen.scroll_beside(1)

    def _do_scroll_up(self) -> None:
        if isinstance(self.screen, CommandScreen):
            self.screen.scroll_beside(-1)

    @property
    def reading(self) -> Reading:
        """How the integers of a table are read."""
        from qdbg.engine.reading import PLAIN  # noqa: PLC0415 - numpy, not before first paint

        return self._reading or PLAIN

    def _read(self, part: str, choices: tuple[str, ...]) -> None:
        from qdbg.app.main import MainScreen  # noqa: PLC0415 - loaded with the recording
        from qdbg.engine.reading import after  # noqa: PLC0415 - numpy, not before first paint
        from qdbg.engine.table import Table  # noqa: PLC0415 - as above

        idle = isinstance(self.screen, MainScreen) and not Table(self.debugger.step).has[part]
        chosen = after(choices, getattr(self.reading, part))
        self._reading = replace(self.reading, **{part: chosen})
        words = f"Tables show {chosen}. {NOT_THERE[part]}" if idle else f"The table shows {chosen}."
        self.notify(words, timeout=2, markup=False)
        if isinstance(self.screen, CommandScreen):
            self.screen.show_state()

    def _do_base(self) -> None:
        from qdbg.engine.reading import BASES  # noqa: PLC0415 - numpy, not before first paint

        self._read("base", BASES)

    def _do_values(self) -> None:
        from qdbg.engine.reading import VALUES  # noqa: PLC0415 - numpy, not before first paint

        self._read("values", VALUES)

    def _do_view(self) -> None:
        if not self.axes.spatial:
            shape = "×".join(str(n) for n in self.axes.shape)
            raise CommandError(
                f"the {shape} elements of this stage are no image: a table is all there is",
                remedy="a stage of a convolution can be seen by channel, by pixel, as a picture",
            )
        self.view = VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)]
        if isinstance(self.screen, CommandScreen):
            self.screen.show_state()
