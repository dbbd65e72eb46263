"""What the app was asked to open; imports nothing heavy, for the first paint waits for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qdbg.capture import Request
    from qdbg.core.program import Recording
    from qdbg.core.quantity import Array
    from qdbg.session import Session


@dataclass(frozen=True, slots=True)
class Plan:
    """What to open, and how."""

    title: str
    """The path as the user gave it."""
    opening: Callable[[], Request | Session]
    """Finds what the path means; slow, and may raise QdbgError."""
    session_path: Path | None
    """Where the session is saved again; None for a model."""
    arithmetic: str | None
    """None for the session's own, or `auto`."""
    feed: str | None
    """None for the session's own, or `captured`."""
    golden: Callable[[Recording], Mapping[int, Array]] | None = None
    """Gives the golden integers of a recording, by call; slow, and may raise QdbgError."""
    theme: str = "dark"
    """A name of `names.THEME_NAMES`."""
    ascii: bool = False
    """Draw with ASCII only."""
