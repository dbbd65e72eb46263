"""Whether the user has ever moved in qdbg: a mark in the state folder, which nobody else reads."""

from __future__ import annotations

import contextlib
from pathlib import Path


def _mark() -> Path:
    from qdbg.recent import folder  # noqa: PLC0415 - not before the first paint

    return folder().parent / "moved"


def is_newcomer() -> bool:
    """Whether nobody has moved yet; False where that cannot be known."""
    try:
        return not _mark().exists()
    except (OSError, RuntimeError):  # no home, or none that can be read
        return False


def remember_moves() -> None:
    """Somebody has; where it cannot be written it will be asked again."""
    with contextlib.suppress(OSError, RuntimeError):
        _mark().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _mark().touch(mode=0o600)
