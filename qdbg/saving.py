"""Saving a session, and in words where it lies now."""

from __future__ import annotations

from pathlib import Path

from qdbg.debugger import Debugger
from qdbg.session import Session, save


def saved(debugger: Debugger, path: Path) -> str:
    """Save the session so far: the path, and that its folder was made where there was none.

    Raises SessionError.
    """
    try:
        new = not path.parent.exists()
    except OSError:  # it may not be looked at, and saving says why
        new = False
    save(Session.of(debugger), path)
    return f"{path} (made the folder {path.parent})" if new else str(path)
