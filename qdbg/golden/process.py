"""qdbg's side of the user's process: start it, ask it, bound its time and its words, end it."""

from __future__ import annotations

import contextlib
import linecache
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

from qdbg.core.quantity import Array
from qdbg.errors import GoldenError, SessionError
from qdbg.golden.wire import HEADERS, Message, TooLong, packed, receive

PYTHON = (sys.executable, "-P", "-m", "qdbg.golden.child")
"""-P: without it a file called `numpy.py` in the working directory would be run."""
START = 60.0
"""Seconds for Python and numpy to start, which are not the user's."""
GRACE = 1.0
"""Seconds for the child to say itself that it is late."""
PRINTED = 2**16
"""Bytes of what the user's code prints that are kept."""
PATIENCE = 5.0
"""Seconds for the process to end after it closed its side, and for its pipes to end after it: a
process that the user's code has left behind may hold them open."""
POLL = 0.01
OWN = {"PYTHONUTF8": "1"}


class Runner:
    """A running child with the user's file loaded. Raises GoldenError where that fails."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._left = timeout + GRACE
        self._doing = ""
        self._node = ""
        self._room = HEADERS
        self._noise = bytearray()
        self._answers: queue.SimpleQueue[Message | Exception | None] = queue.SimpleQueue()
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._process = self._started()
        self._threads = [
            threading.Thread(target=work, daemon=True)
            for work in (self._feed, self._listen, self._overhear)
        ]
        for thread in self._threads:
            thread.start()

    def _started(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - this Python and this package, no shell
                PYTHON,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | OWN,
                start_new_session=True,  # ctrl+c is the parent's; and all of it can be killed
            )
        except OSError as error:
            raise GoldenError(f"Python cannot be started for {self._path}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *found: object) -> None:
        self._end()

    @property
    def printed(self) -> str:
        """What the user's code printed so far, its beginning."""
        return bytes(self._noise).decode("utf-8", "replace")

    def functions(self) -> list[dict[str, Any]]:
        """Run the file and list its functions."""
        self._receive(START)
        self._requests.put(packed({}, {"path": str(self._path), "timeout": self._timeout}))
        _, plain = self._timed()
        found: list[dict[str, Any]] = plain["functions"]
        return found

    def call(
        self,
        function: str,
        node: str,
        shape: tuple[int, ...],
        arrays: Mapping[str, Array],
        plain: Mapping[str, object],
    ) -> Array:
        """What a function of the file returns: int64, float32 or float64, in that shape."""
        self._doing = f"in {function} on {node}"
        self._node = node
        self._room = HEADERS + 8 * math.prod(shape)
        asked = {"function": function, "shape": list(shape), "plain": dict(plain)}
        self._requests.put(packed(arrays, asked))
        found, _ = self._timed()
        result = found.get("result")
        if result is None or result.shape != tuple(shape):
            raise GoldenError(f"{self._path} wrote over the way to qdbg")
        return result

    def finished(self) -> str:
        """Let the process end by itself; what it printed."""
        self._requests.put(None)
        with contextlib.suppress(queue.Empty):
            self._answers.get(timeout=PATIENCE)
        self._end()
        return self.printed

    # ------------------------------------------------------------------------ waiting

    def _timed(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """An answer that the user's code stands behind, on the user's time."""
        start = time.monotonic()
        try:
            return self._receive(max(self._left, 0.0))
        finally:
            self._left -= time.monotonic() - start

    def _receive(self, seconds: float) -> tuple[dict[str, Array], dict[str, Any]]:
        try:
            found = self._answers.get(timeout=seconds)
        except queue.Empty:
            self._end()
            raise self._late(0, "") from None
        if found is None:
            raise self._obituary()
        if isinstance(found, Exception):
            raise GoldenError(f"{self._path} wrote over the way to qdbg: {found}") from found
        arrays, plain = found
        self._check(plain)
        return arrays, plain

    def _check(self, plain: Mapping[str, Any]) -> None:
        if "late" in plain:
            raise self._late(int(plain["line"]), str(plain["function"]))
        if "mistake" in plain:
            raise self._last(f"{self._path}, {self._doing}: {plain['mistake']}")
        if "raised" in plain:
            line, function = int(plain["line"]), str(plain["function"])
            raise self._last(f"{self._where(line, function)}: {plain['raised']}", self._code(line))

    def _last(self, found: str, remedy: str = "") -> GoldenError:
        """The error that ended the process, with all that it printed."""
        self._wait()
        self._end()
        error = GoldenError(found, remedy=remedy)
        error.printed = self.printed
        return error

    def _late(self, line: int, function: str) -> GoldenError:
        return GoldenError(
            f"{self._where(line, function)}: it was not done after {self._timeout:g} s",
            remedy=self._code(line) or "--golden-timeout allows it more time.",
        )

    def _where(self, line: int, function: str) -> str:
        parts = [f"{self._path}, line {line}" if line else str(self._path)]
        parts += [f"in {function}"] if function else []
        where = ", ".join(parts)
        return f"{where} on {self._node}" if self._node else where

    def _code(self, line: int) -> str:
        return linecache.getline(str(self._path), line).strip()[:200] if line else ""

    def _obituary(self) -> GoldenError:
        self._wait()
        self._end()
        code = self._process.returncode
        how = f"with status {code}"
        if code < 0:
            with contextlib.suppress(ValueError):
                how = f"by {signal.Signals(-code).name}"
        last = next((s for s in reversed(self.printed.splitlines()) if s.strip()), "")
        doing = f", {self._doing}" if self._doing else ""
        tail = f": {last.strip()[:200]}" if last else ""
        return GoldenError(f"the process that runs {self._path} ended {how}{doing}{tail}")

    # ------------------------------------------------------------------------ threads

    def _feed(self) -> None:
        pipe = self._process.stdin
        with contextlib.suppress(OSError, ValueError):
            while pipe is not None and (data := self._requests.get()) is not None:
                pipe.write(data)
                pipe.flush()
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()

    def _listen(self) -> None:
        pipe = self._process.stdout
        try:
            while pipe is not None:
                found = receive(pipe, self._room)
                self._answers.put(found)
                if found is None:
                    return
        except (SessionError, TooLong, OSError, ValueError, KeyError) as error:
            self._answers.put(error)
        finally:
            if pipe is not None:
                pipe.close()

    def _overhear(self) -> None:
        pipe: IO[bytes] | None = self._process.stderr
        if pipe is None:
            return
        with contextlib.suppress(OSError, ValueError), pipe:
            while data := os.read(pipe.fileno(), 2**16):
                self._noise += data[: PRINTED - len(self._noise)]

    def _wait(self) -> None:
        """Until the process has ended by itself; it stays there for `_end` to reap."""
        deadline = time.monotonic() + PATIENCE
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, self._process.pid, options) is None:
            if time.monotonic() > deadline:
                return
            time.sleep(POLL)

    def _end(self) -> None:
        """Kill what still runs, the user's own children too, and let go of everything."""
        if self._process.returncode is None:  # not reaped: the number is still its own
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._requests.put(None)
        for thread in self._threads:
            thread.join(PATIENCE)
