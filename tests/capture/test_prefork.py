"""Children that are forked: how they end, and that none is left behind.

That they record what a started child records is in `test_levels.py`.
"""

import signal
import subprocess
import sys

import pytest

from qdbg.capture import Cancelled, child_process, prefork
from qdbg.capture.prefork import current, importing_torch_once
from qdbg.errors import CaptureError
from tests.capture.helpers import request_for, run
from tests.capture.test_process import ends
from tests.captures import each_child_started_for_itself

LIGHT = "from qdbg.capture import forkserver\nforkserver.PRELOADED = {}\nforkserver.main()\n"
MODULES = {
    "light": LIGHT.format(()),
    "slow": LIGHT.format(("endless",)),
    "endless": "import threading\nthreading.Event().wait()\n",
    "dies": "import os\ndef main():\n    os.kill(os.getpid(), 9)\n",
    "raises": "def main():\n    print('noise')\n    raise ValueError('wrong')\n",
    "says": (
        "import json, os, sys\ndef main():\n"
        "    print(json.dumps({'pid': os.getpid(), 'pipes': os.listdir('/proc/self/fd'),\n"
        "                      'folder': os.getcwd(), 'session': os.getsid(0)}), flush=True)\n"
        "    sys.stdin.read()\n"
    ),
}
"""Fork servers without torch and with an import that never ends, and what children may run."""


@pytest.fixture(scope="module", autouse=True)
def modules(tmp_path_factory):
    """What is started finds them; no server runs yet."""
    folder = tmp_path_factory.mktemp("modules")
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    with each_child_started_for_itself(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.setattr(prefork, "SERVER", "light")
        yield


@pytest.fixture
def servers():
    with importing_torch_once():
        yield current()


def said(child):
    found = child.receive(60)
    assert found is not None
    return found


def ending(module):
    with child_process("avx2", module) as child, pytest.raises(CaptureError) as caught:
        said(child)
    return caught.value


def test_a_forked_child_that_ends_is_told_with_its_status_and_its_last_words(servers):
    assert "ended by SIGKILL" in ending("dies").found
    assert ending("raises").found.endswith("ended with status 1: ValueError: wrong")


def test_a_forked_child_has_its_own_session_and_nothing_of_the_others(
    servers, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with child_process("avx2", "says") as other, child_process("avx2", "says") as child:
        first, found = said(other), said(child)
    assert first["pid"] != found["pid"] == found["session"]
    assert found["folder"] == str(tmp_path)
    assert {"0", "1", "2"} < set(found["pipes"])
    assert len(found["pipes"]) == 4  # with the folder that is listed
    assert ends(found["pid"])


def test_a_cancelled_capture_does_not_wait_for_the_import(servers, monkeypatch):
    monkeypatch.setattr(prefork, "SERVER", "slow")
    with pytest.raises(Cancelled):
        run(request_for("qnnpack"), cancelled=lambda: True)
    (server,) = servers._running.values()
    assert not server.runs()


def test_after_a_servers_death_another_one_is_started(servers):
    with child_process("avx2", "says") as child:
        said(child)
        (server,) = servers._running.values()
        server.stop()
    with child_process("avx2", "says") as child:
        assert said(child)["pid"]


def test_a_server_that_cannot_start_is_told_as_a_child_that_cannot(servers, monkeypatch):
    monkeypatch.setattr(prefork, "SERVER", "no_such_module")
    assert "ended with status 1" in ending("says").found


def test_no_server_outlives_its_use():
    with importing_torch_once():
        with child_process("avx2", "says") as child:
            said(child)
        (server,) = current()._running.values()
        with importing_torch_once(), child_process("avx2", "says") as child:
            said(child)
        assert list(current()._running.values()) == [server]
        assert server.runs()
    assert not server.runs()
    assert current() is None


ORPHANS = """
import sys
from qdbg.capture import child_process, importing_torch_once, prefork
prefork.SERVER = "light"
with importing_torch_once(), child_process("avx2", "says") as child:
    found = child.receive(60)
    (server,) = prefork.current()._running.values()
    print(found["pid"], server._process.pid, flush=True)
    sys.stdin.read()
"""


def test_server_and_children_end_when_their_parent_is_killed():
    command = [sys.executable, "-c", ORPHANS]
    with subprocess.Popen(  # noqa: S603 - this Python, our own code
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)
        assert all(ends(pid) for pid in pids)
