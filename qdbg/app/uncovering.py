"""What a message covered is drawn again when it goes.

Textual draws what differs between two layouts. A region that is asked for in between, after the
message has left the tree, makes it arrange the screen anew and take that for the last layout:
nothing differs, and the message stays on the terminal. The mouse and every resized widget ask.
"""

from __future__ import annotations

from typing import TypeVar

from textual.geometry import Region
from textual.screen import ModalScreen, Screen

from qdbg.app.leaving import Leaving

T = TypeVar("T")
MESSAGES = "Toast"


class Uncovering(Leaving[T]):
    """A screen on which no message stays that is gone."""

    _covered: frozenset[Region] = frozenset()
    """Where messages were at the last layout."""

    def on_mount(self) -> None:
        """After each layout, see which messages came and went. One from before would cover a window
        on a small screen."""
        if isinstance(self, ModalScreen):
            self.app.clear_notifications()
        self.screen_layout_refresh_signal.subscribe(self, self._draw_uncovered, immediate=True)

    def _draw_uncovered(self, screen: Screen[object]) -> None:
        if screen is not self:
            return
        covered = frozenset(message.region for message in self.query(MESSAGES))
        changed, self._covered = self._covered ^ covered, covered
        if changed:
            self.refresh(*changed)
