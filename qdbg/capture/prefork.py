"""The parent's side of the fork server: several children of one level import torch once."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from qdbg.capture.forkserver import STATUS

SERVER = "qdbg.capture.forkserver"


class Servers:
    """Fork servers by what torch reads only once: level and number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], Server] = {}

    def start(self, command: Sequence[str], env: Mapping[str, str], key: tuple[str, int]) -> Forked:
        """A child for the command, Python with a module; `env` is what a server is started with.

        Raises OSError where Python cannot be started.
        """
        *python, module = command
        with self._lock:
            server = self._running.get(key)
            if server is None or not server.runs():
                server = self._running[key] = Server(python, env)
            return server.fork(module)

    def stop(self) -> None:
        """End all servers and what they forked."""
        with self._lock:
            for server in self._running.values():
                server.stop()
            self._running.clear()


class Server:
    """One running fork server."""

    def __init__(self, python: Sequence[str], env: Mapping[str, str]) -> None:
        self._ready = False
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this Python and this package, no shell
                (*python, SERVER, str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(env),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # ctrl+c is the parent's to handle
            )

    def runs(self) -> bool:
        """Whether it can still fork."""
        return self._process.poll() is None

    def ready(self) -> bool:
        """Whether it has imported torch, and answers at once."""
        with contextlib.suppress(OSError):  # nothing was said yet
            self._ready = self._ready or bool(self._control.recv(STATUS, socket.MSG_DONTWAIT))
        return self._ready

    def fork(self, module: str) -> Forked:
        """A child that runs the module in this working folder."""
        pipes = [os.pipe() for _ in range(3)]
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        (to, stdin), (stdout, out), (stderr, err) = pipes
        given = [to, out, err, theirs.fileno()]
        message = json.dumps({"module": module, "folder": str(Path.cwd())}).encode()
        try:
            socket.send_fds(self._control, [message], given)
        except OSError:
            self.stop()  # the child speaks by the server's exit
        theirs.close()
        for descriptor in given[:3]:
            os.close(descriptor)
        return Forked(self, own, os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb"),
                      os.fdopen(stderr, "rb"))  # fmt: skip

    def stop(self) -> None:
        """Kill it, and with it what it forked."""
        self._process.kill()
        self._process.wait()
        self._control.close()

    def status(self) -> int:
        """How it ended."""
        return self._process.wait()


class Forked:
    """A forked child, with what `subprocess.Popen` has for one that was started."""

    def __init__(
        self,
        server: Server,
        own: socket.socket,
        stdin: IO[bytes],
        stdout: IO[bytes],
        stderr: IO[bytes],
    ) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self._server, self._own = server, own
        self._code: int | None = None

    def kill(self) -> None:
        """End it now; also a server that would fork it only after the import of torch."""
        if self._code is None:
            with contextlib.suppress(OSError):
                self._own.shutdown(socket.SHUT_WR)
            if not self._server.ready():
                self._server.stop()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, negative for a signal. Raises TimeoutExpired."""
        if self._code is None:
            if not select.select([self._own], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(SERVER, timeout or 0.0)
            told = b""
            with contextlib.suppress(OSError), self._own:
                told = self._own.recv(STATUS)
            self._code = int(told) if told else self._server.status()
        return self._code


class _Current:
    servers: Servers | None = None


def current() -> Servers | None:
    """The servers that fork the children now; None where each child is started for itself."""
    return _Current.servers


@contextlib.contextmanager
def importing_torch_once() -> Iterator[None]:
    """As long as this lasts, children of one level are forked from a process that has torch."""
    if _Current.servers is not None:
        yield
        return
    _Current.servers = servers = Servers()
    try:
        yield
    finally:
        _Current.servers = None
        servers.stop()
