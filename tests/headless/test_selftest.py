"""The command `qdbg selftest`, without PyTorch."""

import contextlib
import queue
import signal
import threading

import pytest

from qdbg.errors import CaptureError
from qdbg.headless import selftest
from qdbg.headless.arguments import PARSERS

PATIENCE = 50
"""How often a child is asked before it counts as never stopped."""


class Silent:
    """A child that says nothing; after its first silence the user presses ctrl+c."""

    def __init__(self):
        self.asked = 0

    def send(self, line):
        pass

    def receive(self, seconds):
        if self.asked == 1:  # the pool knows its threads by then
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        self.asked += 1
        if self.asked == PATIENCE:
            raise CaptureError("nobody stopped it")
        with contextlib.suppress(queue.Empty):
            queue.SimpleQueue().get(timeout=seconds)


def test_ctrl_c_stops_the_cells_that_run_and_begins_no_other(monkeypatch):
    children = []

    @contextlib.contextmanager
    def child_process(*_):
        children.append(Silent())
        yield children[-1]

    monkeypatch.setattr(selftest, "child_process", child_process)
    monkeypatch.setattr(selftest.os, "cpu_count", lambda: 1)
    options = PARSERS["selftest"]().parse_args(["--budget", "1h", "--cpu", "avx2"])
    with pytest.raises(KeyboardInterrupt):
        selftest.selftest(options)
    assert [child.asked < PATIENCE for child in children] == [True]
