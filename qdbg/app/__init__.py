"""The terminal app; the only place with textual."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qdbg.capture import Request
    from qdbg.session import Session


def run(
    request: Request | None,
    *,
    session: Session | None = None,
    session_path: Path | None = None,
    arithmetic: str = "auto",
    feed: str = "captured",
) -> int:
    """Open the app on a model or a session; returns the exit status."""
    from qdbg.app.app import QdbgApp  # noqa: PLC0415 - textual only when the app opens
    from qdbg.app.plan import Plan  # noqa: PLC0415 - likewise

    title = str(request.model if request is not None else session_path or "")
    app = QdbgApp(Plan(title, request, session, session_path, arithmetic, feed))
    return app.run() or 0
