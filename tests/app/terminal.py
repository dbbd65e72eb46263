"""qdbg in a real pseudo-terminal: keys and clicks go in, and what a terminal would show is read.

Nothing sleeps: `until` reads what the app writes until the screen fulfils a condition. The app is
told that the terminal knows synchronized updates, so a condition never sees half a frame.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

import pyte

SESSIONS = Path(__file__).parents[2] / "sessions"
LIMIT = 60
"""Seconds after which a condition counts as never fulfilled."""
QUERY, ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
FRAME_STARTS, FRAME_ENDS = b"\x1b[?2026h", b"\x1b[?2026l"
UNKNOWN_TO_PYTE = b"\x1b[<u"
STYLES = re.compile(rb"\x1b\[[0-9;]*m")
"""Most of what an app writes, and pyte reads it slowly."""
BYTES = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "space": " ",
    "backspace": "\x7f",
    "delete": "\x1b[3~",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "f1": "\x1bOP",
    "f5": "\x1b[15~",
    "f9": "\x1b[20~",
    "f10": "\x1b[21~",
    "f11": "\x1b[23~",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "right_curly_bracket": "}",
    "left_curly_bracket": "{",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "right_parenthesis": ")",
    "left_parenthesis": "(",
    "full_stop": ".",
    "comma": ",",
    "apostrophe": "'",
    "colon": ":",
    "semicolon": ";",
    "question_mark": "?",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "slash": "/",
}
"""What a terminal sends for the keys that Textual names in words."""


def key_bytes(key):
    """What a terminal sends for a key by Textual's name: `n`, `ctrl+s`, `right_square_bracket`."""
    if key.startswith("ctrl+"):
        return bytes([ord(key[-1]) & 0x1F])
    return BYTES.get(key, key).encode()


class Terminal:
    """One run of qdbg. As a context manager it ends the app in any case."""

    def __init__(self, *arguments, size=(120, 40), cwd=None, env=None, colours=False):
        self.colours = colours
        """Whether the screen has them: of what is drawn while this is true."""
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self._lines = dict.fromkeys(range(size[1]), "")
        self.raw = b""
        """Everything that the app has written."""
        self._fed = 0
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            self._become(arguments, cwd, env or {})
        self._tell_size(*size)

    @staticmethod
    def _become(arguments, cwd, env):
        given = {
            "PATH": os.environ["PATH"],
            "HOME": str(cwd or Path.cwd()),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
        }
        os.chdir(cwd or Path.cwd())
        command = [sys.executable, "-m", "qdbg", *map(str, arguments)]
        os.execve(sys.executable, command, given | env)  # noqa: S606 - our own command

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ------------------------------------------------------------------------- what goes in

    def press(self, *keys):
        """Press keys by Textual's names."""
        for key in keys:
            os.write(self.fd, key_bytes(key))
        return self

    def type(self, text):
        """Type a text."""
        os.write(self.fd, text.encode())
        return self

    def click(self, column, row, *, times=1, button=0):
        """Click with the mouse, the top left being 0, 0; buttons 64 and 65 are the wheel."""
        place = f"{column + 1};{row + 1}"
        for _ in range(times):
            os.write(self.fd, f"\x1b[<{button};{place}M\x1b[<{button};{place}m".encode())
        return self

    def click_on(self, words, *, times=1, button=0):
        """Click on the first place where the words stand."""
        return self.click(*self.find(words), times=times, button=button)

    def resize(self, columns, rows):
        """Give the terminal another size; it is empty until the app has drawn again."""
        _ = self.text
        self.screen.resize(rows, columns)
        self.screen.erase_in_display(2)
        self._tell_size(columns, rows)
        return self

    def _tell_size(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    # ------------------------------------------------------------------------ what comes out

    def read(self, wait):
        """What comes within `wait` seconds; empty if nothing does, None after the app's end."""
        ready, _, _ = select.select([self.fd], [], [], wait)
        if not ready:
            return b""
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # Linux's answer when the other end is closed
            return None
        if QUERY in data:
            os.write(self.fd, ANSWER)
        self.raw += data
        return data

    @property
    def text(self):
        """What the terminal shows, line by line."""
        written = self.raw[self._fed :].replace(UNKNOWN_TO_PYTE, b"")
        self._stream.feed(written if self.colours else STYLES.sub(b"", written))
        self._fed = len(self.raw)
        for row in self.screen.dirty:
            cells = self.screen.buffer[row]
            self._lines[row] = "".join(cells[n].data for n in range(self.screen.columns)).rstrip()
        self.screen.dirty.clear()
        return "\n".join(self._lines[row] for row in range(self.screen.lines))

    def line(self, number):
        """One line of the screen; -1 is the last."""
        return self.text.split("\n")[number]

    def find(self, words):
        """Column and row of the first place where the words stand."""
        for row, line in enumerate(self.text.split("\n")):
            if words in line:
                return line.index(words), row
        raise AssertionError(f"{words!r} is not on the screen:\n{self.text}")

    def until(self, condition, limit=LIMIT):
        """Read until words are on the screen, or a function of its text is true; give the text."""
        end = time.perf_counter() + limit
        holds = condition if callable(condition) else lambda text: condition in text
        while not (self._whole() and holds(self.text)):
            left = end - time.perf_counter()
            if left < 0 or self.read(left) is None:
                why = "did not come" if left < 0 else "the app ended"
                raise AssertionError(f"{why}: {condition!r}, but\n{self.text}")
        return self.text

    def _whole(self):
        """Whether the app is not in the middle of a frame."""
        return self.raw.rfind(FRAME_STARTS) <= self.raw.rfind(FRAME_ENDS)

    def ended(self, limit=LIMIT):
        """Read until the app ends; give its exit status."""
        end = time.perf_counter() + limit
        while self.read(max(0.0, end - time.perf_counter())) is not None:
            if time.perf_counter() > end:
                raise AssertionError(f"the app did not end:\n{self.text}")
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def hang_up(self, limit=LIMIT):
        """Take the terminal away; give the exit status of the app, which must end by itself."""
        os.close(self.fd)
        self.fd = -1
        end = os.pidfd_open(self.pid)
        ended, _, _ = select.select([end], [], [], limit)
        os.close(end)
        if not ended:
            raise AssertionError("the app has outlived its terminal")
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self):
        """End the app."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
