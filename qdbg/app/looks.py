"""What the app looks like as a whole: theme, colour or none, and the signs that it draws."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from textual.app import App
from textual.filter import ANSIToTruecolor, LineFilter
from textual.notifications import Notify
from textual.theme import Theme
from textual.widget import Widget

from qdbg.app.glyphs import Ascii
from qdbg.app.theme import THEMES
from qdbg.errors import QdbgError
from qdbg.headless.output import needs_ascii

ASCII_CLASS = "-ascii"
WORN = {theme.name: theme for theme in THEMES.values()}


class Looks(App[int]):
    """An app in one of the themes, in colour or without, in Unicode or in ASCII."""

    CSS = """
    Toast { padding: 0 1; max-width: 80%; margin-top: 0; }
    ToastRack { margin-bottom: 1; }
    """

    def __init__(self, theme: str = "dark", *, ascii: bool = False) -> None:
        # Under NO_COLOR Textual turns a truecolor theme into greys, an ANSI theme into none at all.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        for known in THEMES.values():
            self.register_theme(known)
        self._begin_in(THEMES[theme])
        self._signs: tuple[LineFilter, ...] = ()
        if ascii or needs_ascii():
            self._signs = (Ascii(),)
            self.add_class(ASCII_CLASS)

    def on_notify(self, event: Notify) -> None:
        """A new message takes the place of the one before: on a small screen two cover half."""
        del event
        self.clear_notifications()

    @contextmanager
    def problems_told(self) -> Iterator[None]:
        """Say what cannot be done, and go on."""
        try:
            yield
        except QdbgError as problem:
            self.notify(problem.message, severity="warning", markup=False)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Those of Textual, and the one that leaves only ASCII where that is wanted.

        The one that replaces a terminal's own colours is left out: the themes have none, or only
        these, and it would look at every line of the screen at each key.
        """
        own = (f for f in super().get_line_filters() if not isinstance(f, ANSIToTruecolor))
        return (*own, *self._signs)

    @property
    def current_theme(self) -> Theme:
        """The theme that is worn; Textual asks for it at each line that it draws."""
        return WORN.get(self.theme) or super().current_theme

    def _begin_in(self, theme: Theme) -> None:
        """Wear a theme from the start: to change into it would read all styles once more."""
        self.set_reactive(App.theme, theme.name)
        self.add_class(f"-theme-{theme.name}", update=False)
        self.set_class(theme.dark, "-dark-mode", update=False)
        self.set_class(not theme.dark, "-light-mode", update=False)
        self.stylesheet.set_variables(self.get_css_variables())

    def next_theme(self) -> str:
        """Take the theme after this one, and give its name."""
        names = list(THEMES)
        at = [theme.name for theme in THEMES.values()].index(self.theme)
        name = names[(at + 1) % len(names)]
        self.theme = THEMES[name].name
        return name


def few_colors(widget: Widget) -> bool:
    """Whether shades must be drawn with characters: no colour, sixteen of them, or ASCII."""
    app = widget.app
    return app.no_color or app.native_ansi_color or app.has_class(ASCII_CLASS)
