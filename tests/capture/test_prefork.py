"""Children that are forked from a process with torch are like those that are started."""

import signal
import subprocess
import sys

import pytest

from qdbg.capture import Cancelled, child_process
from qdbg.capture.prefork import _Current, current, importing_torch_once
from qdbg.core.container import encode, pack
from qdbg.errors import CaptureError
from qdbg.names import ENGINES, LEVELS
from tests.capture.helpers import request_for, run
from tests.capture.test_process import ends
from tests.captures import each_child_started_for_itself

FAULTY = {
    "dies": "import os\ndef main():\n    os.kill(os.getpid(), 9)\n",
    "raises": "def main():\n    print('noise')\n    raise ValueError('wrong')\n",
    "says": (
        "import json, os, sys\ndef main():\n"
        "    print(json.dumps({'pid': os.getpid(), 'pipes': os.listdir('/proc/self/fd'),\n"
        "                      'folder': os.getcwd(), 'session': os.getsid(0)}), flush=True)\n"
        "    sys.stdin.read()\n"
    ),
}
"""Modules that a child may run."""


@pytest.fixture
def own_servers():
    with each_child_started_for_itself(), importing_torch_once():
        yield current()


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """Fork servers that also find the faulty modules."""
    folder = tmp_path_factory.mktemp("modules")
    for name, text in FAULTY.items():
        (folder / f"{name}.py").write_text(text)
    with each_child_started_for_itself(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        with importing_torch_once():
            yield


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("level", LEVELS)
def test_a_forked_child_records_what_a_started_one_does(recordings, reachable, engine, level):
    if level not in reachable:
        pytest.skip(f"this machine has no {level}")
    assert current() is not None
    started, forked = recordings[engine, level], run(request_for(engine, level))
    assert encode(*pack(forked)) == encode(*pack(started))


def ending(module):
    with child_process("avx2", module) as child, pytest.raises(CaptureError) as caught:
        while child.receive(60) is None:
            pass
    return caught.value


def test_a_forked_child_that_ends_is_told_with_its_status_and_its_last_words(modules):
    assert "ended by SIGKILL" in ending("dies").found
    assert ending("raises").found.endswith("ended with status 1: ValueError: wrong")


def test_a_forked_child_has_its_own_session_and_nothing_of_the_others(
    modules, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with child_process("avx2", "says") as other, child_process("avx2", "says") as child:
        assert other.receive(60)["pid"] != (found := child.receive(60))["pid"]
    assert found["session"] == found["pid"]
    assert found["folder"] == str(tmp_path)
    assert {"0", "1", "2"} < set(found["pipes"])
    assert len(found["pipes"]) == 4  # with the folder that is listed
    assert ends(found["pid"])


def test_a_cancelled_capture_does_not_wait_for_the_import(own_servers):
    with pytest.raises(Cancelled):
        run(request_for("qnnpack"), cancelled=lambda: True)
    (server,) = own_servers._running.values()
    assert not server.runs()


def test_after_a_servers_death_another_one_is_started(own_servers):
    run(request_for("qnnpack"))
    (server,) = own_servers._running.values()
    server.stop()
    assert run(request_for("qnnpack")).environment.engine == "qnnpack"


def test_no_server_outlives_its_use():
    with each_child_started_for_itself():
        with importing_torch_once():
            run(request_for("qnnpack"))
            (server,) = current()._running.values()
            with importing_torch_once():
                assert run(request_for("fbgemm")).environment.engine == "fbgemm"
            assert server.runs()
        assert not server.runs()
        assert _Current.servers is None


ORPHANS = """
import sys, time
from qdbg.capture import child_process, importing_torch_once
from qdbg.capture.prefork import current
with importing_torch_once(), child_process("avx2", "says") as child:
    while (found := child.receive(60)) is None:
        pass
    (server,) = current()._running.values()
    print(found["pid"], server._process.pid, flush=True)
    sys.stdin.read()
"""


def test_server_and_children_end_when_their_parent_is_killed(modules):
    command = [sys.executable, "-c", ORPHANS]
    with subprocess.Popen(  # noqa: S603 - this Python, our own code
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)
        assert all(ends(pid) for pid in pids)
