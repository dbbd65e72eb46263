"""Saving a session: where, and in words where it lies now."""

from __future__ import annotations

import re
from pathlib import Path

from qdbg.core.program import Recording
from qdbg.debugger import Debugger
from qdbg.session import Session, save

FOLDER = Path("sessions")
SUFFIX = ".qdbg"


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


def default_path(recording: Recording, folder: Path = FOLDER) -> Path:
    """Where a session that has no file yet is saved: `sessions/versicolor.qdbg`.

    The name is the sample's, or the model's where the input was typed. A file that is there
    already is another session, so it is never given: a number is added.
    """
    stem = _stem(recording)
    path, number = folder / f"{stem}{SUFFIX}", 1
    while path.exists() or path.is_symlink():
        number += 1
        path = folder / f"{stem}-{number}{SUFFIX}"
    return path


def _stem(recording: Recording) -> str:
    given = recording.sample.removeprefix("--input ")
    name = given
    if given != recording.sample:
        is_file = re.search(r"\.(npy|npz|csv|json)\b", given, re.IGNORECASE)
        name = Path(given).stem if is_file else Path(recording.model).stem
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:80] or "session"
