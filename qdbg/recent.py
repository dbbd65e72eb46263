"""The sessions that were open last, in the user's state folder; no numpy for the first paint.

Each is two files: NAME.qdbg, the session as it was left, and NAME.json, the line that says what it
is. There is no common index that could be damaged or written by two at a time: a bad entry is left
out, and the others stay.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qdbg.errors import SessionError

if TYPE_CHECKING:
    from qdbg.session import Session

SUFFIX, NOTE = ".qdbg", ".json"
MOST = 20
"""How many sessions are kept; the oldest goes first."""
MOST_BYTES = 2**30
"""How large they may be together; the newest stays however large it is."""
MOST_TEXT = 4096
LAST_SECOND = 2**32
"""A time beyond it, in the year 2106, is no time that was written here."""


@dataclass(frozen=True, slots=True)
class Recent:
    """A session that was open before."""

    run: str
    """What was opened, as a command line with the whole path: the same words are the same run."""
    model: str
    sample: str
    arithmetic: str
    place: str
    """Where the cursor stood: `fc1:linear.clamp[8]`."""
    saved: float
    """When, in seconds since 1970."""
    name: str = ""
    """Of its two files, without their suffixes."""

    @property
    def path(self) -> Path:
        """Where the session is."""
        return folder() / f"{self.name}{SUFFIX}"


def folder() -> Path:
    """The folder of sessions that were left by quitting: below XDG_STATE_HOME, or its default."""
    import platformdirs  # noqa: PLC0415 - not before it is needed

    return platformdirs.user_state_path("qdbg", appauthor=False) / "sessions"


def recents() -> tuple[Recent, ...]:
    """Those that can be opened, the latest first. What cannot be read is left out."""
    found = [entry for note in _files(NOTE) if (entry := _entry(note)) is not None]
    return tuple(sorted(found, key=lambda entry: -entry.saved)[:MOST])


def latest(run: str) -> Recent | None:
    """The last session of the same run."""
    return next((entry for entry in recents() if entry.run == run), None)


def keep(session: Session, run: str, name: str = "") -> Recent:
    """Save the session among the recent ones, over the one called `name` or as a new one.

    Raises SessionError where it cannot be written; the one before is still there then.
    """
    from qdbg.session import save  # noqa: PLC0415 - numpy

    state, recording = session.state, session.recording
    entry = Recent(
        run=run,
        model=Path(recording.model).name,
        sample=recording.sample,
        arithmetic=state.arithmetic,
        place=f"{state.stop}[{state.element}]",
        saved=time.time(),
        name=name or f"{Path(recording.model).stem[:40]}-{secrets.token_hex(4)}",
    )
    with contextlib.suppress(OSError):
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    save(session, entry.path)
    _write(entry)
    _forget_old()
    return entry


def touch(entry: Recent) -> None:
    """It was looked at again, and nothing else: make it the latest."""
    with contextlib.suppress(SessionError):
        _write(replace(entry, saved=time.time()))


def _write(entry: Recent) -> None:
    """Write the line beside the session in one step. Raises SessionError."""
    path = entry.path.with_suffix(NOTE)
    words = {key: value for key, value in asdict(entry).items() if key != "name"}
    try:
        handle, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(words, stream)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise SessionError(f"{path} cannot be written: {error.strerror or error}") from error


def _entry(note: Path) -> Recent | None:
    try:
        if note.stat().st_size > MOST_TEXT * len(Recent.__slots__):
            return None
        words = json.loads(note.read_text(encoding="utf-8"))
        entry = Recent(**words, name=note.stem)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = (entry.run, entry.model, entry.sample, entry.arithmetic, entry.place)
    right = all(isinstance(text, str) and text.isprintable() for text in texts)
    right = right and type(entry.saved) in {int, float} and 0 <= entry.saved < LAST_SECOND
    return entry if right and note.with_suffix(SUFFIX).is_file() else None


def _files(suffix: str) -> Iterator[Path]:
    try:
        yield from folder().glob(f"*{suffix}")
    except (OSError, RuntimeError):  # no home, or none that can be read
        return


def _forget_old() -> None:
    """Remove the oldest where there are too many, or too large ones."""
    sizes: list[tuple[float, int, Path]] = []
    for path in _files(SUFFIX):
        with contextlib.suppress(OSError):
            status = path.stat()
            sizes.append((status.st_mtime, status.st_size, path))
    total = 0
    for place, (_, size, path) in enumerate(sorted(sizes, reverse=True)):
        total += size
        if place and (place >= MOST or total > MOST_BYTES):
            for old in (path.with_suffix(NOTE), path):
                with contextlib.suppress(OSError):
                    old.unlink()
