"""The parent's side: start the child, pass on its progress, kill it when it is not wanted."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import IO, Any

from qdbg.capture.level import VARIABLES, forced_level
from qdbg.capture.prefork import Forked, current
from qdbg.capture.request import Request, error_from, request_line
from qdbg.core.container import decode, unpack
from qdbg.core.program import Recording
from qdbg.core.runs import Runs, unpack_runs
from qdbg.errors import CaptureError, SessionError

CAPTURE = "qdbg.capture.child"
PYTHON = (sys.executable, "-P", "-m")
"""-P: without it a file called `torch.py` in the working directory would be run."""
POLL = 0.03
"""Seconds between two looks at `cancelled`."""
PATIENCE = 5.0
"""Seconds that a child may live on after it closed its side, and that its pipes may be held open
after its end: by a process that the model's code has left behind."""
LAST_LINES = 20
REMEDIES = {"by SIGKILL": "the system may have run out of memory"}
SUPERSEDED = ("DNNL_MAX_CPU_ISA", "ONEDNN_VERBOSE", "DNNL_VERBOSE", "PYTHONWARNINGS")
"""Variables of the user's that would name another level, or only make noise."""


class Cancelled(CaptureError):
    """The user did not want to wait for PyTorch; nothing is wrong."""


def capture(
    request: Request, progress: Callable[[str], None], cancelled: Callable[[], bool]
) -> Recording:
    """Run the model by PyTorch in a child process and wait for its recording.

    `progress` gets a few words at each step. Raises CaptureError, ModelError, ForwardError, or
    Cancelled soon after `cancelled()` became true.
    """
    with contextlib.closing(_answers(request, progress, cancelled)) as answers:
        return _recording(next(answers))


def capture_many(
    request: Request, progress: Callable[[str], None], cancelled: Callable[[], bool]
) -> Iterator[Runs]:
    """Run the model on all samples in one child, `batch` at a time; the runs in the samples' order,
    those together that made the same calls. Raises as `capture`.
    """
    with contextlib.closing(_answers(request, progress, cancelled)) as answers:
        yield from map(_runs, answers)


def _answers(
    request: Request, progress: Callable[[str], None], cancelled: Callable[[], bool]
) -> Generator[bytes]:
    """What the child delivers, until it is done."""
    level = forced_level(request.cpu)
    with child_process(level, CAPTURE, request.threads) as child:
        child.send(request_line(request, level))
        while True:
            if cancelled():
                raise Cancelled("the capture was cancelled")
            message = child.receive(POLL)
            if message is None:
                continue
            if isinstance(message, bytes):
                yield message
            elif "done" in message:
                return
            elif "progress" in message:
                progress(str(message["progress"]))
            else:
                raise error_from(message)


def child_environment(level: str, threads: int = 1) -> dict[str, str]:
    """The parent's variables, with those that force the level and the number of threads."""
    kept = {key: value for key, value in os.environ.items() if key not in SUPERSEDED}
    number = str(threads)
    limits = {"OMP_NUM_THREADS": number, "MKL_NUM_THREADS": number, "OMP_DYNAMIC": "FALSE"}
    return kept | VARIABLES[level] | limits | {"PYTHONUTF8": "1"}


def _recording(data: bytes) -> Recording:
    try:
        return unpack(*decode(data, "the capture's answer"))
    except SessionError as error:
        raise CaptureError(error.found, expected=error.expected) from error


def _runs(data: bytes) -> Runs:
    try:
        return unpack_runs(*decode(data, "the capture's answer"))
    except SessionError as error:
        raise CaptureError(error.found, expected=error.expected) from error


class Child:
    """One running child: its answers come through a queue, its noise stays here."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked) -> None:
        self._process = process
        self._messages: queue.SimpleQueue[Mapping[str, Any] | bytes | None] = queue.SimpleQueue()
        self._noise: deque[str] = deque(maxlen=LAST_LINES)
        self._threads = [
            threading.Thread(target=self._listen, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._overhear, args=(process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def send(self, line: bytes) -> None:
        """Write the request and leave the pipe open: its end tells the child to stop."""
        with contextlib.suppress(OSError):  # a child that is dead already speaks by its exit
            if self._process.stdin is not None:
                self._process.stdin.write(line)
                self._process.stdin.flush()

    def receive(self, seconds: float) -> Mapping[str, Any] | bytes | None:
        """The next message, or None if there was none in time. Raises CaptureError at the end."""
        message = None
        try:
            message = self._messages.get(timeout=seconds)
        except queue.Empty:
            if not self._ended():
                return None
            with contextlib.suppress(queue.Empty):  # a process that it left may hold the pipe open
                message = self._messages.get(timeout=PATIENCE)
        if message is None:
            raise self._obituary()
        return message

    def _ended(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.0)
            return True
        return False

    def stop(self) -> None:
        """Kill the child if it still runs, and let go of everything."""
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(PATIENCE)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _obituary(self) -> CaptureError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        self._process.kill()
        code = self._process.wait()
        self._threads[1].join(PATIENCE)
        words = next((line for line in reversed(self._noise) if line), "")
        how = f"with status {code}"
        if code < 0:
            with contextlib.suppress(ValueError):
                how = f"by {signal.Signals(-code).name}"
        tail = f": {words}" if words else ""
        error = CaptureError(
            f"the process that runs PyTorch ended {how}{tail}", remedy=REMEDIES.get(how, "")
        )
        error.printed = "\n".join(self._noise)
        return error

    def _listen(self, pipe: IO[bytes]) -> None:
        """Lines of JSON; one with `bytes` announces that many raw ones."""
        with contextlib.suppress(OSError, ValueError), pipe:
            for line in pipe:
                message = json.loads(line)
                size = message.get("bytes")
                if size is None:
                    self._messages.put(message)
                    continue
                data = pipe.read(size)
                if len(data) == size:
                    self._messages.put(data)
        self._messages.put(None)

    def _overhear(self, pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError), pipe:
            for line in pipe:
                text = line[:400].decode("utf-8", "replace").strip()
                self._noise.append("".join(c for c in text if c.isprintable())[:200])


def _started(module: str, level: str, threads: int) -> subprocess.Popen[bytes] | Forked:
    command, env = (*PYTHON, module), child_environment(level, threads)
    servers = current()
    if servers is not None:
        return servers.start(command, env, (level, threads))
    return subprocess.Popen(  # noqa: S603 - this Python and this package, no shell
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        start_new_session=True,  # ctrl+c is the parent's to handle
    )


@contextlib.contextmanager
def child_process(level: str, module: str, threads: int = 1) -> Iterator[Child]:
    """A Python that runs `module` with torch kept to the level, killed at the end.

    Raises CaptureError where it cannot be started.
    """
    try:
        process = _started(module, level, threads)
    except OSError as error:
        raise CaptureError(f"Python cannot be started for the capture: {error}") from error
    child = Child(process)
    try:
        yield child
    finally:
        child.stop()
