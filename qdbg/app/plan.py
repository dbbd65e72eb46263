"""What the app was asked to open; imports nothing heavy, for the first paint waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qdbg.capture import Request
    from qdbg.session import Session


@dataclass(frozen=True, slots=True)
class Plan:
    """What to open."""

    title: str
    request: Request | None
    """A model to run; None where a session is opened."""
    session: Session | None
    session_path: Path | None
    arithmetic: str
    feed: str
