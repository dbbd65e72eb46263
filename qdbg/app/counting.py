"""The last line but one: how every arithmetic fares, counted in a thread while one looks around."""

from __future__ import annotations

from contextlib import suppress

from textual.worker import get_current_worker

from qdbg.app.faring import counting_line, survey_lines
from qdbg.app.screen import CommandScreen
from qdbg.app.words import Words
from qdbg.core.work import Cancelled, heard_by
from qdbg.engine.survey import Fare

OFTEN = 0.2
"""Seconds after which it is said again how far the counting is."""


class Counting(CommandScreen):
    """A screen with a text `#survey`, which says how the arithmetics fare."""

    def __init__(self) -> None:
        super().__init__()
        self.fares: tuple[Fare, ...] = ()
        self.feed = ""
        """With which feed they were counted."""
        self._counting = ("", 0, 0)
        """What is being counted, and how far that is."""

    def tell_counting(self) -> None:
        """From now on say how far the counting is."""
        self._progress = self.set_interval(OFTEN, self.show_survey)

    def count_fares(self) -> None:
        """Simulate every arithmetic in a thread; the line is filled when they are counted."""
        self.fares, self._counting = (), ("", 0, 0)
        self._progress.resume()
        self.run_worker(self._survey, thread=True, exclusive=True, group="survey")

    def _survey(self) -> None:
        from qdbg.engine.survey import survey  # noqa: PLC0415 - not before the first paint

        worker, app = get_current_worker(), self.qdbg
        trace = app.debugger.trace

        def tell(what: str, done: int, total: int) -> None:
            if worker.is_cancelled or app.leaving:
                raise Cancelled("nobody looks at it any more")
            self._counting = what, done, total

        with suppress(Cancelled), heard_by(tell):
            fares = survey(trace.recording, trace.feed, trace.arithmetic)
            if not worker.is_cancelled and not app.leaving:
                self.from_thread(self._counted, fares, trace.feed)

    def _counted(self, fares: tuple[Fare, ...], feed: str) -> None:
        self.fares, self.feed = fares, feed
        self._progress.pause()
        self.show_survey()

    def show_survey(self) -> None:
        """How the arithmetics fare, or how far the counting is."""
        if not self.children:
            return
        if self.fares:
            words = survey_lines(self.qdbg.debugger, self.fares, self.size.width)
        else:
            words = counting_line(*self._counting, self.size.width)
        self.query_one("#survey", Words).say(words)
