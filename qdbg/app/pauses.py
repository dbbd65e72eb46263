"""Fewer pauses: Python's search for unused objects takes longer than drawing does.

Each key makes some hundred objects that refer to each other, so by default the youngest are
searched after every second key, and all of them (textual's, numpy's) now and then, for a tenth of a
second. And shorter ones: what Textual draws soon after another frame waits for the next sixtieth
of a second, which a key pressed while a model is loaded would notice.
"""

from __future__ import annotations

import gc
import os

YOUNG = 20_000
"""So many new objects are searched at a time: in about a millisecond, after some fifty keys."""
OFTEN = 20


FRAMES = 240
"""At most so many a second; where nothing changes there are none."""


def search_rarely() -> None:
    """From the start, for imports make objects only."""
    gc.set_threshold(YOUNG, OFTEN, OFTEN)


def draw_at_once() -> None:
    """Before textual is imported, which reads this then."""
    os.environ.setdefault("TEXTUAL_FPS", str(FRAMES))


def spare_what_stays() -> None:
    """Once what the app consists of is loaded: it is never searched again."""
    if not gc.get_freeze_count():
        gc.freeze()
