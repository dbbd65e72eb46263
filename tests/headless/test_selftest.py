"""The command `qdbg selftest`, without PyTorch."""

import contextlib
import queue
import signal
import threading

import pytest

from qdbg.core.container import encode, pack
from qdbg.errors import CaptureError, SessionError
from qdbg.headless import selftest
from qdbg.headless.arguments import PARSERS
from qdbg.selftest.cell import Findings
from tests.synthetic import recording

RECORDED = encode(*pack(recording()))
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


@pytest.fixture
def interruptible():
    """As where a terminal started the process, whatever tests before this one have left."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("interruptible")
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


def test_what_was_found_is_written_before_what_cannot_be_saved(monkeypatch, tmp_path, capsys):
    def found(task, *_):
        case = {"op": "relu", "seed": 1}
        return Findings(task.engine, task.level, differences=[case], recordings=[RECORDED])

    (tmp_path / "sessions").write_text("no folder")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(selftest, "run_task", found)
    options = PARSERS["selftest"]().parse_args(["--cpu", "avx2", "--engine", "fbgemm"])
    with pytest.raises(SessionError, match="cannot be written"):
        selftest.selftest(options)
    assert "fbgemm" in capsys.readouterr().out
