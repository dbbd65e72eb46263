"""What the app shows, as text: compared with files that people review.

    QDBG_SNAPSHOTS=write pytest -n 0 tests/app

writes them anew under tests/app/snapshots/; read their diff before you commit them.
"""

import os
import time
from pathlib import Path

FOLDER = Path(__file__).parent / "snapshots"
WRITE = "QDBG_SNAPSHOTS=write pytest -n 0 tests/app"
STILL = 0.5
"""Seconds for which a screen stays as it is before it is written: what shows through below a window
is drawn later than the window."""
_seen = {}


def screen_text(app):
    """What the terminal shows, line by line. Textual's compositor is private: only used here."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def shows(app, name):
    """Whether the screen equals the reviewed text, or stands still to be written anew."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("QDBG_SNAPSHOTS") == "write" or not path.exists():
        text, now = screen_text(app), time.monotonic()
        if _seen.get(name, ("", 0))[0] != text:
            _seen[name] = text, now
        return now - _seen[name][1] > STILL
    return screen_text(app) + "\n" == path.read_text(encoding="utf-8")


def assert_snapshot(app, name):
    """The screen equals the reviewed text `name`, such as `main/120x40`."""
    path = FOLDER / f"{name}.txt"
    text = screen_text(app) + "\n"
    if os.environ.get("QDBG_SNAPSHOTS") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is not there: {WRITE} writes it"
    assert text == path.read_text(encoding="utf-8"), f"if it is meant to change: {WRITE}"
