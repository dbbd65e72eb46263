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
import termios
import time

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
            if time.perf_counter() - self.start > limit or self.read(5) == b"":
                raise TimeoutError(text)
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
    for name, took in rows:
        sys.stdout.write(f"{name:<38}{took:8.1f} ms {took / base:7.1f} ×\n")


if __name__ == "__main__":
    main()
