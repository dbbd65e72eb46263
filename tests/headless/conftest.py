"""Sessions to work on: synthetic ones, and one that PyTorch really made."""

import subprocess
import sys
from pathlib import Path

import pytest

from qdbg import capture
from qdbg.capture import Request
from qdbg.cli import main
from qdbg.core.container import read, write
from qdbg.debugger import Debugger
from qdbg.samples import named_sample
from qdbg.session import Session, save
from tests.captures import each_request_runs_once
from tests.synthetic import recording

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "iris_qat.pth"

COMMANDS = (
    "continue",
    "next-difference",
    "mark a",
    "break fc2.mac",
    "continue",
    "feed simulated",
    "arithmetic auto",
    "end",
    "go 'a",
    "feed",
)
"""Starts under the textbook's arithmetic and ends under the captured one."""


def python(*argv, stdout=subprocess.PIPE, cwd=ROOT):
    """Run this Python in a process of its own."""
    return subprocess.run(  # noqa: S603 - this Python, on what the tests wrote
        [sys.executable, *map(str, argv)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        check=False,
    )


def explored(made=None, commands=COMMANDS):
    debugger = Debugger(made or recording(), "textbook")
    for command in commands:
        debugger.execute(command)
    return debugger


@pytest.fixture(scope="session", autouse=True)
def captures():
    with each_request_runs_once():
        yield


@pytest.fixture
def debugger():
    return explored()


@pytest.fixture
def session_file(tmp_path, debugger):
    path = tmp_path / "versicolor.qdbg"
    save(Session.of(debugger), path)
    return path


@pytest.fixture
def edit(session_file):
    """Change the file's content as somebody would who also sets the digests right."""

    def change(function):
        tensors, metadata = read(session_file)
        tensors = {name: array.copy() for name, array in tensors.items()}
        function(tensors, metadata)
        write(session_file, tensors, metadata)
        return session_file

    return change


@pytest.fixture
def qdbg(capsys):
    """Run one command line in this process: its status, stdout and stderr."""

    def run(*argv):
        status = main([str(word) for word in argv])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture(scope="session")
def real_session(tmp_path_factory):
    """The mystery: versicolor at AVX2, where pairs saturate."""
    asked = Request(MODEL, None, False, "fbgemm", "avx2", named_sample("versicolor"))
    made = capture.capture(asked, lambda words: None, lambda: False)
    path = tmp_path_factory.mktemp("sessions") / "versicolor.qdbg"
    save(Session.of(explored(made, ("continue", "next", "arithmetic auto", "end"))), path)
    return path
