"""The child is out of sight: its noise, its death, and its end when nobody wants it any more."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qdbg.capture import Cancelled, parent
from qdbg.errors import CaptureError
from tests.capture.helpers import MODELS, request_for, run
from tests.captures import each_child_started_for_itself

READ = "import sys, os; sys.stdin.buffer.readline(); "


@pytest.fixture(scope="module", autouse=True)
def started():
    with each_child_started_for_itself():
        yield


def child(monkeypatch, code):
    monkeypatch.setattr(parent, "PYTHON", (sys.executable, "-P", "-c", READ + code))


ALONE = """
import json, sys, time
from pathlib import Path
from qdbg.capture import Request, capture
from qdbg.samples import named_sample
steps = []
recording = capture(
    Request(Path(sys.argv[1]), None, False, None, "native", named_sample("setosa")),
    steps.append, lambda: False)
heavy = [name for name in ("torch", "sklearn") if name in sys.modules]
print(json.dumps({"heavy": heavy, "steps": steps, "engine": recording.environment.engine}))
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A capture from a folder with a file that is called like torch, told to be noisy."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "torch.py").write_text("open('hijacked', 'w')\nraise SystemExit('hijacked')\n")
    done = subprocess.run(  # noqa: S603 - this Python, our own code
        [sys.executable, "-P", "-c", ALONE, str(MODELS / "iris_qat.pth")],
        cwd=folder,
        env=os.environ | {"ONEDNN_VERBOSE": "1", "PYTHONWARNINGS": "always"},
        capture_output=True,
        text=True,
        check=False,
    )
    return folder, done


def test_torch_and_sklearn_are_never_imported_by_the_parent(alone):
    assert json.loads(alone[1].stdout)["heavy"] == []


def test_nothing_that_torch_says_reaches_the_screen(alone):
    assert alone[1].stderr == ""
    assert alone[1].stdout.count("\n") == 1


def test_a_file_called_torch_in_the_working_directory_is_not_run(alone):
    assert not (alone[0] / "hijacked").exists()


def test_progress_names_each_step_in_words(alone):
    steps = json.loads(alone[1].stdout)["steps"]
    for words in ("importing torch", "rebuilding the layers", "running fc1:linear"):
        assert words in steps
    assert steps[-1] == "running again without recording"


def test_without_a_choice_the_engine_is_pytorchs_own_default(alone):
    assert json.loads(alone[1].stdout)["engine"] == "x86"


def test_a_dead_child_is_reported_with_its_last_words(monkeypatch):
    child(monkeypatch, "print('noise', file=sys.stderr); sys.exit('the last \\x1b[31mwords')")
    with pytest.raises(CaptureError) as caught:
        run(request_for(None))
    assert caught.value.found.endswith("ended with status 1: the last [31mwords")


def test_a_killed_child_is_reported_by_its_signal(monkeypatch):
    child(monkeypatch, "os.kill(os.getpid(), 9)")
    with pytest.raises(CaptureError, match="by SIGKILL") as caught:
        run(request_for(None))
    assert "memory" in caught.value.remedy


def test_an_answer_that_is_no_answer_is_an_error(monkeypatch):
    child(monkeypatch, "print('{\"bytes\": 5}'); print('abcd')")
    with pytest.raises(CaptureError, match=r"damaged|not a session"):
        run(request_for(None))


def test_a_cancelled_capture_ends_promptly_and_leaves_no_process(monkeypatch):
    tell = "import json, time; print(json.dumps({'progress': str(os.getpid())}), flush=True); "
    child(monkeypatch, tell + "time.sleep(60)")
    said = []
    start = time.monotonic()
    with pytest.raises(Cancelled):
        run(request_for(None), said.append, lambda: bool(said))
    assert time.monotonic() - start < 5
    with pytest.raises(ProcessLookupError):
        os.kill(int(said[0]), 0)


def test_a_program_that_the_models_code_left_behind_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(parent, "PATIENCE", 0.2)
    code = (
        "import subprocess; apart = subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(600)'], start_new_session=True); sys.exit(f'left {apart.pid}')"
    )
    child(monkeypatch, code)
    with pytest.raises(CaptureError, match="ended with status 1: left") as caught:
        run(request_for(None))
    os.kill(int(caught.value.found.split()[-1]), signal.SIGKILL)


ORPHAN = """
import subprocess, sys
code = ("import os, threading, time; from qdbg.capture import child; "
        "threading.Thread(target=child.end_with_parent, daemon=True).start(); "
        "print(os.getpid(), flush=True); time.sleep(60)")
process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
process.wait()
"""


def test_the_child_ends_when_its_parent_is_killed():
    command = [sys.executable, "-c", ORPHAN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as middle:  # noqa: S603
        pid = int(middle.stdout.readline())
        middle.send_signal(signal.SIGKILL)
        assert ends(pid)


def ends(pid):
    for _ in range(100):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_errors_of_the_child_keep_their_class_and_their_parts(monkeypatch):
    fields = {"error": "ModelError", "found": "f", "expected": "e", "remedy": "r"}
    child(monkeypatch, f"print({json.dumps(json.dumps(fields))})")
    with pytest.raises(Exception, match="f") as caught:
        run(request_for(None))
    error = caught.value
    assert (type(error).__name__, error.expected, error.remedy) == ("ModelError", "e", "r")
