"""Files in the working folder: pictures, tables and programs that the app writes, and sessions."""

from __future__ import annotations

import os
from pathlib import Path

from qdbg.core.replacing import write_whole
from qdbg.errors import CommandError


def saved_in(folder: Path) -> list[Path]:
    """The session files of a folder; a link that leads nowhere is none."""
    return [path for path in sorted(folder.glob("*.qdbg")) if path.is_file()]


def free(stem: str, suffix: str) -> Path:
    """A name in the working folder that no file has."""
    path, count = Path(f"{stem}{suffix}"), 1
    while os.path.lexists(path):
        count += 1
        path = Path(f"{stem}-{count}{suffix}")
    return path


def write_text(path: Path, text: str) -> None:
    """Write the file whole or not at all. Raises CommandError where it cannot be written."""
    try:
        write_whole(path, text.encode())
    except OSError as problem:
        raise CommandError(
            f"{path} cannot be written: {problem.strerror or problem}",
            remedy="start qdbg in another folder, or make room on the disk",
        ) from problem
