"""How fast qdbg starts and answers, as multiples of `python -c pass` in the same run.

    python -m tests.benchmark [start] [keys] [million]

Run it on a quiet machine. The app is driven in a pseudo-terminal of 120×40; beside it, an app of
Textual alone with one line and a footer, which is what the app can come near to.
"""

import argparse
import contextlib
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode
QDBG = [sys.executable, "-m", "qdbg"]
MODEL = ["models/iris_qat.pth", "--sample", "versicolor"]
RUNS, KEYS = 9, 60
QUIET = 0.05
"""Seconds without output after which a key counts as answered."""
EMPTY = """
from textual.app import App
from textual.widgets import Footer, Static
class Empty(App):
    BINDINGS = [("n", "count(1)", "next"), ("N", "count(-1)", "back")]
    number = 0
    def compose(self):
        yield Static("step 0", id="number")
        yield Footer()
    def action_count(self, by):
        self.number += by
        self.query_one("#number").update(f"step {self.number}", layout=False)
Empty().run()
"""


def process(command):
    """Milliseconds of a whole process, the median of RUNS."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)  # noqa: S603 - our own command
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


class Terminal:
    """qdbg in a pseudo-terminal."""

    def __init__(self, command):
        self.start = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execv(command[0], command)  # noqa: S606 - our own command
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.seen = b""

    def read(self, wait):
        """What comes within `wait` seconds; empty if nothing does."""
        ready, _, _ = select.select([self.fd], [], [], wait)
        data = os.read(self.fd, 65536) if ready else b""
        self.seen += data
        return data

    def until(self, text, limit=30):
        """Milliseconds from the start until the text is on the screen."""
        while text not in self.seen:
            if time.perf_counter() - self.start > limit:
                raise TimeoutError(text)
            self.read(5)
        return (time.perf_counter() - self.start) * 1000

    def key(self, key):
        """Milliseconds from a key to the first and to the last bytes of the answer."""
        self.wait()
        self.seen = b""  # what is added to much is copied, in milliseconds that are not the app's
        start = time.perf_counter()
        os.write(self.fd, key)
        self.read(5)
        first = last = time.perf_counter()
        while self.read(QUIET):
            last = time.perf_counter()
        return (first - start) * 1000, (last - start) * 1000

    def wait(self):
        """Read until nothing comes any more."""
        while self.read(QUIET):
            pass

    def answer_or_end(self, key, words, end):
        """Milliseconds from a key to these words; None if others come before."""
        self.seen = b""
        start = time.perf_counter()
        os.write(self.fd, key)
        while words not in self.seen:
            if end in self.seen:
                return None
            self.read(5)
        return (time.perf_counter() - start) * 1000

    def close(self):
        """End the app."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def opening(command, words):
    """Milliseconds until each of the words is on the screen, the medians of RUNS."""
    found = []
    for _ in range(RUNS):
        terminal = Terminal(command)
        found.append([terminal.until(text) for text in words])
        terminal.close()
    return [statistics.median(times) for times in zip(*found, strict=True)]


def pressing(command, there, keys):
    """The median and the 95th percentile of a key to the first bytes, and to the last ones."""
    terminal = Terminal(command)
    terminal.until(there)
    terminal.wait()
    times = [terminal.key(key) for _ in range(KEYS // len(keys)) for key in keys]
    terminal.close()
    return [spread([time[which] for time in times]) for which in (0, 1)]


def while_capturing():
    """The same to the answer of keys that are pressed while PyTorch is imported and runs."""
    times = []
    for _ in range(RUNS):
        terminal = Terminal([*QDBG, *MODEL])
        terminal.until(b"layers in the file")
        while b"step " not in terminal.seen:
            key, words = ((b"n", b"n next:"), (b"c", b"c continue:"))[len(times) % 2]
            took = terminal.answer_or_end(key, words, b"step ")
            if took is None:
                break
            times.append(took)
            terminal.read(QUIET)
        terminal.close()
    return spread(times)


def spread(times):
    """The median and the 95th percentile."""
    times = sorted(times)
    return statistics.median(times), times[int(0.95 * len(times))]


VIEWS = {
    "table": [b"j", b"k", b"l", b")", b"(", b"\x04", b"\x15", b"G", b"g", b">", b"D"],
    "channel": [b"j", b"k", b"l", b"h", b")", b"(", b"\x04", b"G", b"g"],
    "pixel": [b"j", b"k", b"l", b"h", b")", b"(", b"G", b"g"],
    "picture": [b"j", b"k", b"\x1b[C", b"\x1b[D", b")", b"(", b"\x04", b"G", b"g", b">", b"D"],
    "drill-down": [b"j", b"k", b"l", b"h", b")", b"(", b".", b","],
}
"""The keys that are pressed in each view of a result of a million elements."""


def start():
    """How long it takes until something is there: name, milliseconds."""
    yield "qdbg --help", process([*QDBG, "--help"])
    yield "qdbg replay, one session", process([*QDBG, "replay", "sessions/versicolor.qdbg"])
    yield "first paint of an empty app", *opening([sys.executable, "-c", EMPTY], [b"step 0"])
    marks = {
        "first words of the app": b"starting",
        "first paint of the app": b"quit",
        "the file's layers are listed": b"layers in the file",
        "main screen, PyTorch has run": b"step ",
    }
    yield from zip(marks, opening([*QDBG, *MODEL], list(marks.values())), strict=True)


def keys():
    """How long a key takes on the small model."""
    found = {
        "an empty app, n and N": pressing([sys.executable, "-c", EMPTY], b"step 0", [b"n", b"N"]),
        "n and N": pressing([*QDBG, *MODEL], b"step ", [b"n"] * 10 + [b"N"] * 10),
        "j and k": pressing([*QDBG, *MODEL], b"step ", [b"j"] * 3 + [b"k"] * 3),
        "keys while PyTorch runs": [while_capturing()],
    }
    for name, each in found.items():
        for words, times in zip(("", " to the last bytes"), each, strict=False):
            yield from both(name + words, times)


def million():
    """How long a key takes in each view of a million elements."""
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder) / "million.qdbg"
        subprocess.run([sys.executable, "-m", "tests.images", session], check=True)  # noqa: S603
        terminal = Terminal([*QDBG, str(session), "--arith", "textbook"])
        terminal.until(b"of 2228224", 300)
        for key in b":conv1.clamp\r":
            terminal.key(bytes([key]))
        terminal.key(b"g")
        for view, pressed in VIEWS.items():
            if view != "table":
                terminal.key(b"\r" if view == "drill-down" else b"v")
            times = [terminal.key(key)[0] for _ in range(KEYS // 6) for key in pressed]
            yield from both(f"a million elements, {view}", spread(times))
        terminal.close()


def both(name, times):
    """A median and a 95th percentile."""
    return zip((f"{name}: median", f"{name}: 95th"), times, strict=True)


PARTS = {"start": start, "keys": keys, "million": million}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmark", description=__doc__.partition("\n")[0]
    )
    parts_help = f"what to measure, of {', '.join(PARTS)}; else all of it"
    parser.add_argument("part", nargs="*", help=parts_help)  # `choices` would refuse none at all
    parts = parser.parse_args().part or list(PARTS)
    if unknown := set(parts).difference(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: {parts_help}")
    base = process([sys.executable, "-c", "pass"])
    rows = [("python -c pass", base), *(row for part in parts for row in PARTS[part]())]
    for name, took in rows:
        sys.stdout.write(f"{name:<46}{took:8.1f} ms {took / base:7.1f} ×\n")


if __name__ == "__main__":
    main()
