"""The user's code runs apart: what it raises, prints, breaks or never ends is its own."""

import os
import signal
from pathlib import Path

import pytest

from qdbg import golden
from qdbg.errors import GoldenError
from qdbg.golden import process
from tests.golden.conftest import only

ZEROS = "[[0] * 16]"

FAILING = {
    "a division": (
        "def fc1(x_q):\n    a = 1\n    return a / 0\n",
        "golden.py, line 3, in fc1 on fc1:linear: ZeroDivisionError: division by zero",
        "return a / 0",
    ),
    "a helper": (
        "def _h(v):\n    raise KeyError('q')\ndef fc1(x_q):\n    return _h(x_q)\n",
        "golden.py, line 2, in _h on fc1:linear: KeyError: 'q'",
        "raise KeyError('q')",
    ),
    "inside numpy": (
        "import numpy as np\ndef fc1(x_q, w_q):\n    return np.matmul(x_q, w_q)\n",
        "golden.py, line 3, in fc1 on fc1:linear: ValueError: matmul",
        "return np.matmul(x_q, w_q)",
    ),
    "at import": ("import nowhere_at_all\n", "golden.py, line 1: ModuleNotFoundError", "import no"),
    "syntax": (
        "def fc1(x_q):\n    return (\n",
        "golden.py, line 2: SyntaxError: '(' was never",
        "",
    ),
    "no python": ("\0\0", "golden.py: SyntaxError: source code", ""),
    "an exit": ("import sys\nsys.exit(3)\n", "golden.py, line 2: SystemExit: 3", "sys.exit(3)"),
    "an exit inside": (
        "def fc1(x_q):\n    raise SystemExit\n",
        "line 2, in fc1 on fc1:linear: SystemExit",
        "raise SystemExit",
    ),
    "an interrupt": ("def fc1(x_q):\n    raise KeyboardInterrupt\n", "KeyboardInterrupt", "raise"),
    "input": ("def fc1(x_q):\n    return input()\n", "EOFError", "return input()"),
    "recursion": ("def fc1(x_q):\n    return fc1(x_q)\n", "RecursionError", "return fc1(x_q)"),
    "an error without words": (
        "class E(Exception):\n    def __str__(self):\n        raise ValueError\n"
        "def fc1(x_q):\n    raise E\n",
        "line 5, in fc1 on fc1:linear: E",
        "raise E",
    ),
    "too much memory": (
        "import numpy as np\ndef fc1(x_q):\n    return np.ones(2**33)\n",
        "MemoryError",
        "return np.ones",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_an_error_of_the_users_code_is_told_by_its_own_line(case, functions):
    text, words, code = FAILING[case]
    with pytest.raises(GoldenError) as caught:
        functions(text)
    message = str(caught.value)
    assert words in message
    assert code in caught.value.remedy
    assert "Traceback" not in message
    assert "child.py" not in message
    assert len(message.splitlines()) <= 2


def test_a_file_that_leaves_its_folder_is_still_found(functions, small, monkeypatch, tmp_path):
    text = """
        import os
        os.chdir("/")
        def fc1(y_shape):
            from pathlib import Path
            return [[float(Path(__file__).exists())] * y_shape[1]]
    """
    monkeypatch.chdir(tmp_path)
    functions(text)
    _, column = only(golden.load(Path("golden.py"), small))
    assert column.values.tolist() == [[1] * 16]


ENDING = {
    "exit": ("import os\n    os._exit(3)", "ended with status 3, in fc1 on fc1:linear"),
    "crash": ("import ctypes\n    ctypes.string_at(0)", "ended by SIGSEGV, in fc1 on fc1:linear"),
    "kill": ("import os\n    os.kill(os.getpid(), 9)", "ended by SIGKILL"),
    "words": (
        "import os, sys\n    print('the last words', flush=True)\n    os._exit(1)",
        "ended with status 1, in fc1 on fc1:linear: the last words",
    ),
}


@pytest.mark.parametrize("case", ENDING)
def test_a_process_that_ends_says_where(case, functions):
    body, words = ENDING[case]
    with pytest.raises(GoldenError, match=words):
        functions(f"def fc1(x_q):\n    {body}\n")


ENDLESS = {
    "a loop": ("def fc1(x_q):\n    n = 0\n    while True:\n        n += 1\n", "in fc1 on fc1:lin"),
    "a sleep": (
        "import time\ndef fc1(x_q):\n    time.sleep(600)\n",
        "line 3, in fc1 on fc1:linear",
    ),
    "at import": ("while True:\n    pass\n", "golden.py, line "),
    "a loop that catches": (
        "def fc1(x_q):\n    while True:\n        try:\n            int('x')\n"
        "        except BaseException:\n            pass\n",
        "in fc1 on fc1:linear",
    ),
}


@pytest.mark.parametrize("case", ENDLESS)
def test_code_that_does_not_end_is_ended(case, functions):
    text, words = ENDLESS[case]
    with pytest.raises(GoldenError) as caught:
        functions(text, timeout=0.2)
    assert words in str(caught.value)
    assert "it was not done after 0.2 s" in str(caught.value)


def test_a_process_that_cannot_hear_the_clock_is_killed(functions, monkeypatch, tmp_path):
    """The user's code holds back the signal, as a long call into C does."""
    monkeypatch.setattr(process, "GRACE", 0.2)
    pid = tmp_path / "pid"
    text = f"""
        import os, signal, time
        def fc1(x_q):
            open({str(pid)!r}, "w").write(str(os.getpid()))
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
            while True:
                time.sleep(1)
    """
    with pytest.raises(GoldenError, match=r"golden.py on fc1:linear: it was not done after 0.5 s"):
        functions(text, timeout=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_the_time_is_that_of_all_functions_together(functions):
    text = """
        import time
        def layer(y_shape):
            time.sleep(0.6)
            import numpy
            return numpy.zeros(y_shape)
    """
    with pytest.raises(GoldenError, match=r"in layer on .*: it was not done after 1 s"):
        functions(text, timeout=1.0)


def test_what_the_users_children_hold_open_keeps_nobody_waiting(functions, tmp_path):
    """They end too: only then does the other end of what they write to say so."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    text = f"""
        import subprocess, sys
        with open({str(fifo)!r}, "w") as held:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=held)
        def fc1(x_q):
            return {ZEROS}
    """
    assert only(functions(text))[0] == "fc1:linear"
    os.set_blocking(end, True)
    with os.fdopen(end) as stream:
        assert stream.read() == ""


def test_a_program_that_left_the_users_process_is_not_waited_for(functions, monkeypatch, tmp_path):
    """It holds what the user's code prints open, and nobody may end it but the user."""
    monkeypatch.setattr(process, "PATIENCE", 0.2)
    pid = tmp_path / "pid"
    text = f"""
        import subprocess, sys
        code = "import time; time.sleep(600)"
        apart = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        open({str(pid)!r}, "w").write(str(apart.pid))
        def fc1(x_q):
            return {ZEROS}
    """
    assert only(functions(text))[0] == "fc1:linear"
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_prints_are_kept_aside(functions, capfd):
    text = f"""
        import os, sys
        print("at import")
        def fc1(x_q):
            print("on stderr", file=sys.stderr)
            os.system("echo by another program")
            return {ZEROS}
    """
    found = functions(text)
    assert {"at import", "on stderr", "by another program"} == set(found.printed.splitlines())
    assert capfd.readouterr() == ("", "")


def test_prints_before_an_error_come_with_it(functions):
    with pytest.raises(GoldenError) as caught:
        functions("print('so far')\ndef fc1(x_q):\n    raise ValueError('no')\n")
    assert caught.value.printed == "so far\n"


def test_of_endless_prints_the_beginning_is_kept(functions):
    text = "def fc1(x_q):\n    while True:\n        print('y' * 1000)\n"
    with pytest.raises(GoldenError, match="not done"):
        functions(text, timeout=0.3)
    text = f"def fc1(x_q):\n    print('y' * 10**7)\n    return {ZEROS}\n"
    assert functions(text).printed == "y" * process.PRINTED


def test_a_file_finds_what_lies_beside_it_and_leaves_nothing_there(functions, tmp_path):
    (tmp_path / "golden_helper.py").write_text(f"ANSWER = {ZEROS}\n")
    text = "from golden_helper import ANSWER\ndef fc1(x_q):\n    return ANSWER\n"
    assert only(functions(text))[0] == "fc1:linear"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["golden.py", "golden_helper.py"]


def test_what_is_written_over_the_way_back_is_refused(functions):
    text = f"""
        import os
        def fc1(x_q):
            for number in range(3, 20):
                try:
                    os.write(number, b"\\xff" * 64)
                except OSError:
                    pass
            return {ZEROS}
    """
    with pytest.raises(GoldenError, match="wrote over the way to qdbg"):
        functions(text)


def test_a_huge_file_is_not_run(functions):
    with pytest.raises(GoldenError, match=r"bytes .expected at most"):
        functions("#" * (4 * 2**20 + 1))
