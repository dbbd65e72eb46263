"""The fork server: `python -m qdbg.capture.forkserver FD` imports torch once and forks each child.

FD is a socket to the parent. A message on it names the module to run and the working folder, and
carries four descriptors: the child's stdin, stdout and stderr, and the child's own socket. That
gets the child's status at its end; closed for writing by the parent, it asks for the child's death.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Any

PRELOADED = ("qdbg.reader", "qdbg.capture.run", "qdbg.capture.many")
MOST = 2**16
"""Bytes of a message."""
STATUS = 16
"""Bytes of a status in decimal, at most."""
PR_SET_PDEATHSIG = 1
"""Linux's number for the request of a signal at the parent's death."""
GONE = -1
"""What a closed socket gives as its descriptor."""


class Server:
    """The children that run, each with its socket."""

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._events = selectors.DefaultSelector()
        self._events.register(parent, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Fork and bury until the parent is gone; the children go with it."""
        while True:
            for key, _ in self._events.select():
                if key.data is not None:
                    key.data()
                elif not self._take():
                    return

    def _take(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._parent, MOST, 4)
        if not message:
            return False
        *streams, own = descriptors
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            for key in self._events.get_map().values():
                os.close(key.fd)
            self._events.close()
            os.close(own)
            _become(server, streams, **json.loads(message))
        for stream in streams:
            os.close(stream)
        Watch(self._events, pid, socket.socket(fileno=own))
        return True


class Watch:
    """One child, whose number is its own until this has buried it."""

    def __init__(self, events: selectors.BaseSelector, pid: int, own: socket.socket) -> None:
        self._events, self._pid, self._own = events, pid, own
        self._ended = os.pidfd_open(pid)
        events.register(self._ended, selectors.EVENT_READ, self._bury)
        events.register(own, selectors.EVENT_READ, self._kill)

    def _kill(self) -> None:
        if self._own.fileno() != GONE:  # both may be seen at a time
            self._events.unregister(self._own)
            os.kill(self._pid, signal.SIGKILL)

    def _bury(self) -> None:
        _, status = os.waitpid(self._pid, 0)
        self._events.unregister(self._ended)
        with contextlib.suppress(KeyError):
            self._events.unregister(self._own)
        os.close(self._ended)
        with contextlib.suppress(OSError), self._own:
            self._own.send(str(os.waitstatus_to_exitcode(status)).encode("ascii"))


def _become(server: int, streams: list[int], module: str, folder: str) -> None:
    """The forked child: as if Python had been started with `-m module`, and never returns."""
    status = 1
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server:
            return  # it died before
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        run: Any = importlib.import_module(module)
        run.main()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Import what children need, say so, and serve."""
    parent = socket.socket(fileno=int(sys.argv[1]))
    with contextlib.suppress(Exception):  # a child that lacks a module says so by itself
        for module in PRELOADED:
            importlib.import_module(module)
    gc.freeze()
    with contextlib.suppress(OSError):
        parent.send(b"ready")
        Server(parent).serve()
    os._exit(0)


if __name__ == "__main__":
    main()
