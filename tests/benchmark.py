"""How fast qdbg starts and answers, as multiples of `python -c pass` in the same run.

    python -m tests.benchmark

Run it on a quiet machine. The app is driven in a pseudo-terminal of 120×40.
"""

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

QDBG = [sys.executable, "-m", "qdbg"]
MODEL = ["models/iris_qat.pth", "--sample", "versicolor"]
RUNS, KEYS = 9, 60


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
        """Milliseconds from a key to the first bytes of the answer; then wait until it is quiet."""
        while self.read(0.05):
            pass
        start = time.perf_counter()
        os.write(self.fd, key)
        self.read(5)
        took = (time.perf_counter() - start) * 1000
        while self.read(0.05):
            pass
        return took

    def close(self):
        """End the app."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def app():
    """First paint, and the median and 95th percentile of a key, in milliseconds."""
    paints, opened = [], []
    for _ in range(RUNS):
        terminal = Terminal([*QDBG, *MODEL])
        paints.append(terminal.until(b"layers in the file"))
        opened.append(terminal.until(b"step "))
        terminal.close()
    terminal = Terminal([*QDBG, *MODEL])
    terminal.until(b"step ")
    keys = sorted(terminal.key(b"n" if i % 20 < 10 else b"N") for i in range(KEYS))
    terminal.close()
    return (
        statistics.median(paints),
        statistics.median(opened),
        statistics.median(keys),
        keys[int(0.95 * len(keys))],
    )


VIEWS = {
    "table": [b"j", b"k", b"l", b")", b"(", b"\x04", b"\x15", b"G", b"g", b">", b"D"],
    "channel": [b"j", b"k", b"l", b"h", b")", b"(", b"\x04", b"G", b"g"],
    "pixel": [b"j", b"k", b"l", b"h", b")", b"(", b"G", b"g"],
    "picture": [b"j", b"k", b"\x1b[C", b"\x1b[D", b")", b"(", b"\x04", b"G", b"g", b">", b"D"],
    "drill-down": [b"j", b"k", b"l", b"h", b")", b"(", b".", b","],
}
"""The keys that are pressed in each view of a result of a million elements."""


def million(folder):
    """Per view the median and the 95th percentile of its keys, in milliseconds."""
    session = Path(folder) / "million.qdbg"
    subprocess.run([sys.executable, "-m", "tests.images", session], check=True)  # noqa: S603
    terminal = Terminal([*QDBG, str(session), "--arith", "textbook"])
    terminal.until(b"of 2228224", 300)
    for key in b":conv1.clamp\r":
        terminal.key(bytes([key]))
    found = {}
    for view, keys in VIEWS.items():
        terminal.key(b"\r" if view == "drill-down" else b"v" if found else b"g")
        times = sorted(terminal.key(key) for _ in range(KEYS // 6) for key in keys)
        found[view] = statistics.median(times), times[int(0.95 * len(times))]
    terminal.close()
    return found


def main():
    """Print the table."""
    base = process([sys.executable, "-c", "pass"])
    shown = process([*QDBG, "--help"])
    replayed = process([*QDBG, "replay", "sessions/versicolor.qdbg"])
    paint, opened, key, slow = app()
    rows = [
        ("python -c pass", base),
        ("qdbg --help", shown),
        ("qdbg replay, one session", replayed),
        ("first paint of the app", paint),
        ("main screen, PyTorch has run", opened),
        ("key to first bytes, median", key),
        ("key to first bytes, 95th percentile", slow),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for view, (median, slow) in million(folder).items():
            rows.append((f"a million elements, {view}: median", median))
            rows.append((f"a million elements, {view}: 95th", slow))
    for name, took in rows:
        sys.stdout.write(f"{name:<46}{took:8.1f} ms {took / base:7.1f} ×\n")


if __name__ == "__main__":
    main()
