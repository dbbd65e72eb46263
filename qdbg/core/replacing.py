"""A new file in the place of an old one, in one step; a thread writes what is ready while the rest
is still computed."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Thread

PIECE = 2**21
"""Bytes that are worth handing over to the thread."""


class Growing:
    """The new file, which nobody sees before it is whole."""

    def __init__(self, handle: int, start: int, pool: ThreadPoolExecutor) -> None:
        self._handle, self._pool = handle, pool
        self._at = start
        self._size = 0
        self._parts: list[memoryview] = []
        self._underway: list[Future[None]] = []

    def add(self, part: memoryview) -> None:
        """The next bytes; they must stay as they are until the file is whole."""
        self._parts.append(part)
        self._size += part.nbytes
        if self._size >= PIECE:
            job = self._pool.submit(_write, self._handle, self._at, self._parts)
            self._underway.append(job)
            self._at += self._size
            self._parts, self._size = [], 0

    def finish(self, head: bytes) -> None:
        """Write the first bytes and those that are left, and wait until all are on the disk: a name
        may only then be given to them. Raises OSError."""
        _write(self._handle, self._at, self._parts)
        _write(self._handle, 0, [memoryview(head)])
        for job in self._underway:
            job.result()
        os.fsync(self._handle)


@contextlib.contextmanager
def replacing(path: Path, start: int) -> Iterator[Growing]:
    """A file that takes the place of the one at `path` at the end of the block, which calls
    `finish` with its first `start` bytes: a kill or a power failure at any moment leaves the old
    one or the new one. A link stays, and leads to the new one; a device or a pipe is not replaced.
    Raises OSError."""
    path = Path(os.path.realpath(path))
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError("it is a device or a pipe")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb"):
            os.fchmod(handle, _mode(path))
            with ThreadPoolExecutor(1) as pool:
                yield Growing(handle, start, pool)
        with _released_later(path):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there as a whole, or as it was before. A device or a pipe, /dev/stdout
    say, is written to. Raises OSError."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        path.write_bytes(data)
        return
    with replacing(path, len(data)) as file:
        file.finish(data)


@contextlib.contextmanager
def _released_later(path: Path) -> Iterator[None]:
    """Hold on to the old file, for which the disk has work to do as soon as nobody has it any more:
    a thread waits for that."""
    old = None
    with contextlib.suppress(OSError):
        old = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield
    finally:
        if old is not None:
            if os.fstat(old).st_size < PIECE:
                os.close(old)
            else:
                Thread(target=os.close, args=(old,)).start()


def _write(handle: int, at: int, parts: Sequence[memoryview]) -> None:
    for part in parts:
        done = 0
        while done < part.nbytes:
            done += os.pwrite(handle, part[done:], at + done)
        at += done


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those of any new file."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
