"""The first words on the terminal: Textual takes a few tenths of a second to load and to draw."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import PurePath

from qdbg.headless.output import clean

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H", "\x1b[?25h\x1b[?1049l"
"""To the terminal's other screen without a cursor, where Textual draws too, and back."""
MARKED, BOLD, PLAIN = "\x1b[7m", "\x1b[1m", "\x1b[0m"


@contextlib.contextmanager
def greeting(title: str) -> Iterator[None]:
    """Name what is opened while the block loads the app, which goes on from there; where it fails,
    the terminal is as it was before. A browser has no terminal, and gets nothing."""
    stream = sys.__stderr__  # where Textual draws
    if stream is None or not stream.isatty() or "TEXTUAL_DRIVER" in os.environ:
        yield
        return
    name = clean(PurePath(title).name)[: max(0, shutil.get_terminal_size().columns - 8)]
    stream.write(f"{ENTER}{MARKED} qdbg {PLAIN} {BOLD}{name}{PLAIN}\r\n starting\r\n")
    stream.flush()
    try:
        yield
    except BaseException:
        stream.write(LEAVE)
        stream.flush()
        raise
