"""The terminal app; the only place with textual."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import TYPE_CHECKING

from qdbg.app.greeting import greeting
from qdbg.app.pauses import draw_at_once, search_rarely
from qdbg.names import THEME_NAMES

if TYPE_CHECKING:
    from qdbg.app.plan import Plan


def run(plan: Plan | None, theme: str = THEME_NAMES[0], *, ascii: bool = False) -> int:
    """Open the app on a model or a session, or on the start screen; returns the exit status.

    What was wrong with the input stands on the screen, and on stderr after the app.
    """
    search_rarely()
    draw_at_once()
    with greeting(plan.title if plan is not None else "start"):
        from qdbg.app.app import QdbgApp  # noqa: PLC0415 - textual only when the app opens

        app = QdbgApp(plan, theme, ascii=ascii)
    status = app.run() or app.return_code or 0
    rescued = app.rescue() if app.return_code else ""
    for words in (app.problem, rescued):
        if words:
            sys.stderr.write(f"{words}\n")
    # a ctrl+c while Python waits for the last threads ends them without a traceback
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return status
