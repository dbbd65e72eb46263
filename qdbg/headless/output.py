"""The only way to the terminal outside the app: text that no encoding can break."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

PLAIN = str.maketrans(
    {
        "✓": "=", "≠": "!", "○": "o", "·": "*", "×": "x", "−": "-", "→": ">", "…": "...",
        "↑": "^", "↓": "v", "↕": "%", "Δ": "d", "Σ": "S", "ₖ": "_k", "ᵢ": "_i", "²": "^2",
        "³": "^3", "¹": "^1", "⁰": "^0", "⁴": "^4", "⁵": "^5", "⁶": "^6", "√": "sqrt", "π": "pi",
        "⌊": "[", "⌋": "]", "━": "=", "─": "-", "≥": ">=", "≤": "<=", "│": "|", "└": "`", "┌": ",",
    }
)  # fmt: skip
"""What stands for qdbg's signs where the output cannot show them."""
CHOSEN = ("PYTHONIOENCODING", "PYTHONUTF8")
"""Who sets one of these has chosen an encoding, whatever the locale is."""
_asked: ContextVar[bool] = ContextVar("asked", default=False)


@contextmanager
def signs(*, ascii: bool) -> Iterator[None]:
    """As long as this lasts the output is in ASCII, where that is asked for."""
    before = _asked.set(ascii)
    try:
        yield
    finally:
        _asked.reset(before)


def needs_ascii(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the locale names an encoding other than UTF-8.

    Where no locale is set at all, as in most containers, the terminal outside decides, and nearly
    all of them know UTF-8.
    """
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := environment.get(name):
            return "utf8" not in value.lower().replace("-", "")
    return False


def write(text: str) -> None:
    """Print the text and a line end on stdout."""
    _put(sys.stdout, clean(text) + "\n")


def write_error(text: str) -> None:
    """Print the text and a line end on stderr; where it finds no taker, the exit status says it."""
    try:
        _put(sys.stderr, clean(text) + "\n")
    except OSError:  # nor must the interpreter fail when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def clean(text: str) -> str:
    """The text without control characters: names come from files, and could move the cursor."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _put(stream: TextIO, text: str) -> None:
    encoding = _encoding(stream)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAIN).encode(encoding, "backslashreplace").decode(encoding)
    stream.write(text)
    stream.flush()


def _encoding(stream: TextIO) -> str:
    """The stream's own, but ASCII where that is asked for, and where Python made UTF-8 of a locale
    that names another encoding: it does so for C and for locales that are not installed."""
    own = getattr(stream, "encoding", None) or "utf-8"
    chosen = any(os.environ.get(name) for name in CHOSEN)
    taken = own.lower().replace("-", "") == "utf8" and not chosen and needs_ascii()
    return "ascii" if taken or _asked.get() else own


class Progress:
    """The words of a running capture: one line on a terminal, erased at the end."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._dirty = False

    def __call__(self, words: str) -> None:
        """Show the words in place of those before."""
        if self._shown:
            self._dirty = True
            _put(sys.stderr, f"\r\x1b[K{clean(words)} …")

    def part(self, what: str, done: int, total: int) -> None:
        """How far the work is: a bar before the words."""
        self(f"{bar(done, total)} {what}")

    def done(self) -> None:
        """Leave no trace."""
        if self._dirty:
            _put(sys.stderr, "\r\x1b[K")
            self._dirty = False


def bar(done: int, total: int, width: int = 20) -> str:
    """`━━━━━───── 12/63`."""
    filled = width * done // max(1, total)
    return f"{'━' * filled}{'─' * (width - filled)} {done}/{total}"


def json_text(data: object) -> str:
    """The data as JSON; NaN and infinities, which JSON lacks, become strings."""
    return json.dumps(_finite(data), allow_nan=False)


def _finite(data: object) -> object:
    if isinstance(data, float) and not math.isfinite(data):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(data)]
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(item) for item in data]
    return data
