"""The command line: short refusals, documented statuses, no traceback."""

import io
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from qdbg import cli
from qdbg.headless.output import Progress
from tests.headless.conftest import MODEL, ROOT, python

VERSICOLOR = ("--sample", "versicolor")

REFUSED = {
    "a word": (("shwo",), "neither a file nor a command 'shwo'"),
    "a word before others": (("swep", MODEL, "--samples", "iris"), "Is 'qdbg sweep' meant?"),
    "no file": (("none.pth", *VERSICOLOR), "there is no file none.pth"),
    "a folder": ((ROOT, *VERSICOLOR), "is a folder"),
    "no input": ((MODEL,), "no input was given (expected --sample setosa"),
    "a sample": ((MODEL, "--sample", "rose"), "there is no sample called 'rose'"),
    "a row": ((MODEL, "--sample", "iris:150"), "there is no sample called 'iris:150'"),
    "an engine": ((MODEL, *VERSICOLOR, "--engine", "v8"), "there is no engine 'v8'"),
    "a level": ((MODEL, *VERSICOLOR, "--cpu", "sse"), "there is no CPU level 'sse'"),
    "an arithmetic": ((MODEL, *VERSICOLOR, "--arith", "abacus"), "there is no arithmetic 'abacus'"),
    "a feed": ((MODEL, *VERSICOLOR, "--feed", "cat"), "there is no feed 'cat'"),
    "two inputs": ((MODEL, *VERSICOLOR, "--input", "1"), "--sample and --input both name"),
    "a flag": ((MODEL, *VERSICOLOR, "--bla"), "unrecognized arguments: --bla"),
    "an abbreviation": ((MODEL, "--samp", "versicolor"), "unrecognized arguments"),
    "no value": ((MODEL, "--sample"), "--sample: expected one argument"),
    "scaling a sample": ((MODEL, *VERSICOLOR, "--standardize"), "--standardize says how"),
    "both scalings": ((MODEL, "--input", "1", "--standardize", "--scaled"), "not allowed with"),
    "a nan": ((MODEL, "--input", "1 2 3 nan"), "has nan at row 1, column 4"),
    "show nothing": (("show",), "qdbg show: the following arguments are required"),
    "replay nothing": (("replay",), "qdbg replay: the following arguments are required"),
    "values as text": (("show", MODEL, *VERSICOLOR, "--values"), "--values goes with --json"),
    "a bad source": (("show", MODEL, *VERSICOLOR, "--source", "none.py"), "none.py cannot be read"),
    "no session": (("show", "none.qdbg"), "there is no file none.qdbg"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_usage_is_refused_in_one_or_two_lines(case, qdbg):
    argv, words = REFUSED[case]
    status, out, err = qdbg(*argv)
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) <= 2


@pytest.mark.parametrize(
    "option", [("--sample", "setosa"), ("--cpu", "avx2"), ("--trust-source",), ("--input", "1")]
)
def test_a_session_takes_no_options_of_a_run(option, session_file, qdbg):
    status, _, err = qdbg("show", session_file, *option)
    assert status == 2
    assert f"{option[0]} does not go with a session" in err


@pytest.mark.parametrize("words", ["--help", "--version", "show --help", "show FILE"])
def test_output_that_cannot_be_written_is_said_in_one_line(words, session_file):
    argv = [session_file if word == "FILE" else word for word in words.split()]
    with Path("/dev/full").open("w") as full:
        done = python("-m", "qdbg", *argv, stdout=full)
    assert done.returncode == 2
    assert done.stderr.strip() == "the output cannot be written: No space left on device"


@pytest.mark.parametrize("redirected", ["2>/dev/full", "2>&-", "1>&- 2>&-"])
def test_bad_input_has_status_2_where_nobody_can_be_told(redirected):
    command = f"{shlex.quote(sys.executable)} -m qdbg show no-such.qdbg {redirected}"
    done = subprocess.run(["/bin/sh", "-c", command], check=False)  # noqa: S603 - our own command
    assert done.returncode == 2


def test_a_file_without_a_name_is_refused(qdbg):
    status, _, err = qdbg("show", "")
    assert status == 2
    assert "the file's name is empty" in err


@pytest.mark.parametrize("argv", [(), ("--help",), ("show", "--help"), ("replay", "--help")])
def test_help_goes_to_stdout_with_status_0(argv, qdbg):
    status, out, err = qdbg(*argv)
    assert (status, err) == (0, "")
    assert out.startswith("usage: qdbg")


def test_the_version_is_printed(qdbg):
    assert qdbg("--version")[1].startswith("qdbg 0.")


def test_a_mistake_of_qdbg_itself_is_one_line_and_70(session_file, qdbg, monkeypatch):
    def fail(options):
        raise ZeroDivisionError("inside\nout")

    monkeypatch.setitem(cli.COMMANDS, "show", fail)
    status, _, err = qdbg("show", session_file)
    assert status == 70
    assert "a mistake of its own: ZeroDivisionError: inside\n" in err
    assert "QDBG_TRACEBACK=1" in err
    monkeypatch.setenv("QDBG_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        qdbg("show", session_file)


def test_an_interrupt_is_quiet(session_file, qdbg, monkeypatch):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.COMMANDS, "show", interrupt)
    assert qdbg("show", session_file) == (130, "", "")


def test_an_interrupt_after_everything_is_printed_leaves_the_status_as_it_is():
    late = "atexit.register(os.kill, os.getpid(), signal.SIGINT)"
    run = "sys.argv = ['qdbg', '--version']; sys.exit(qdbg.cli.main())"
    done = python("-c", f"import atexit, os, signal, sys, qdbg.cli; {late}; {run}")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_goes_away_is_no_error(session_file):
    reading, writing = os.pipe()
    os.close(reading)
    done = python("-m", "qdbg", "show", session_file, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


# --------------------------------------------------------------------------- opening the app


@pytest.fixture
def app(monkeypatch):
    """What the app would be opened with."""
    asked = SimpleNamespace(target=None)

    def run(plan, *_, **__):
        fields = {field: getattr(plan, field) for field in plan.__slots__}
        vars(asked).update(fields, target=plan.opening())
        return 0

    monkeypatch.setattr("qdbg.app.run", run)
    monkeypatch.setattr(cli, "_on_terminal", lambda: True)
    return asked


def test_on_a_terminal_a_model_opens_the_app(app):
    assert (
        cli.main([str(MODEL), "--sample", "iris:57", "--cpu", "avx2", "--feed", "simulated"]) == 0
    )
    assert (app.target.model, app.target.cpu, app.target.engine) == (MODEL, "avx2", None)
    assert (app.target.sample.name, app.arithmetic) == ("iris:57", None)
    assert (app.feed, app.session_path) == ("simulated", None)


def test_on_a_terminal_a_session_opens_the_app(app, session_file):
    assert cli.main([str(session_file), "--arith", "textbook"]) == 0
    assert app.session_path == session_file
    assert app.target.recording.sample == "versicolor"
    assert app.arithmetic == "textbook"


def test_a_model_without_source_opens_without_an_input(app, tmp_path):
    path = tmp_path / "alone.pth"
    path.write_bytes(MODEL.read_bytes())
    assert cli.main([str(path)]) == 0
    assert app.target.model == path


@pytest.mark.parametrize(
    ("terminal", "seen"), [(False, ""), (True, "\r\x1b[Kimporting torch …\r\x1b[K")]
)
def test_progress_is_for_terminals_and_leaves_no_trace(terminal, seen, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", stream)
    progress = Progress()
    progress("importing torch")
    progress.done()
    assert stream.getvalue() == seen
