"""The terminal app; the only place with textual."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qdbg.capture import Request
    from qdbg.core.program import Recording
    from qdbg.core.quantity import Array
    from qdbg.session import Session


def run(
    title: str,
    opening: Callable[[], Request | Session],
    *,
    session_path: Path | None = None,
    arithmetic: str | None = None,
    feed: str | None = None,
    golden: Callable[[Recording], Mapping[int, Array]] | None = None,
    theme: str = "dark",
    ascii: bool = False,
) -> int:
    """Open the app on a model or a session; returns the exit status.

    What was wrong with the input stands on the screen, and on stderr after the app.
    """
    from qdbg.app.app import QdbgApp  # noqa: PLC0415 - textual only when the app opens
    from qdbg.app.plan import Plan  # noqa: PLC0415 - likewise

    app = QdbgApp(Plan(title, opening, session_path, arithmetic, feed, golden, theme, ascii))
    status = app.run() or 0
    if app.problem:
        sys.stderr.write(f"{app.problem}\n")
    return status
