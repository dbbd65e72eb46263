"""The first screen: layers at once, progress in words, and what is wrong with the input."""

import shutil
import sys
import threading
from pathlib import Path

import pytest

from qdbg.app.app import QdbgApp
from qdbg.app.home import HomeScreen
from qdbg.app.main import MainScreen
from qdbg.app.plan import Plan, plan_of_words
from qdbg.capture import Cancelled, Request, parent
from qdbg.errors import SampleError
from qdbg.samples import named_sample
from tests.app import idle
from tests.app.conftest import ready, region_text, screen_text
from tests.captures import each_child_started_for_itself
from tests.synthetic import recording

MODEL = Path(__file__).parents[2] / "models" / "iris_qat.pth"


def app_for(path, opening):
    return QdbgApp(Plan(str(path), opening, None, None, None))


async def until(pilot, words):
    await idle.until(pilot, lambda: words in screen_text(pilot.app))


async def test_the_layers_are_shown_while_pytorch_is_still_running(monkeypatch):
    release = threading.Event()

    def slow(request, progress, cancelled):
        progress("importing torch")
        while not release.wait(0.01) and not cancelled():
            pass
        return recording()

    monkeypatch.setattr("qdbg.capture.capture", slow)
    app = app_for(MODEL, lambda: None)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "importing torch")
        text = screen_text(app)
        assert "int8 16×4" in text
        assert "0.0210133456" in text
        await pilot.press("n")
        assert "■ n next: the model has not run yet" in region_text(app, "#progress")
        assert "next" not in screen_text(app).splitlines()[-1]
        release.set()
        await ready(pilot)
        assert isinstance(app.screen, MainScreen)


async def test_quitting_cancels_the_capture(monkeypatch):
    ended = threading.Event()

    def endless(request, progress, cancelled):
        progress("importing torch")
        while not cancelled():
            pass
        ended.set()
        return recording()

    monkeypatch.setattr("qdbg.capture.capture", endless)
    app = app_for(MODEL, lambda: None)
    async with app.run_test() as pilot:
        await until(pilot, "importing torch")
        await pilot.press("q")
    assert ended.wait(5)


async def test_without_source_the_layers_stay_and_the_screen_says_what_is_missing(tmp_path):
    alone = tmp_path / "alone.pth"
    shutil.copy(MODEL, alone)

    def opening():
        return Request(alone, None, False, None, "native", named_sample("setosa"))

    app = app_for(alone, opening)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "--source FILE")
        assert "fc1" in screen_text(app)
        await pilot.press("q")
    assert app.return_value == 2


async def test_a_bad_input_is_told_on_the_screen_and_in_the_exit_status():
    def opening():
        raise SampleError("the input has 3 numbers", expected="4")

    app = app_for(MODEL, opening)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "■ the input has 3 numbers")
        assert "expected  4" in screen_text(app)
        await pilot.press("q")
    assert app.return_value == 2
    assert app.problem == "the input has 3 numbers (expected 4)"


DYING = "import sys, os; sys.stdin.buffer.readline(); print('the last words', file=sys.stderr); "


@pytest.mark.parametrize(
    ("death", "name"),
    [
        ("os.kill(os.getpid(), 9)", "by SIGKILL"),
        ("os.kill(os.getpid(), 11)", "by SIGSEGV"),
        ("os.abort()", "by SIGABRT"),
    ],
)
async def test_a_dying_pytorch_is_told_with_its_last_words_and_the_app_lives_on(
    monkeypatch, death, name
):
    python = (sys.executable, "-P", "-c", f"{DYING}sys.stderr.flush(); {death}")
    monkeypatch.setattr(parent, "PYTHON", python)
    request = Request(MODEL, None, False, None, "native", named_sample("setosa"))
    app = app_for(MODEL, lambda: request)
    with each_child_started_for_itself():
        await dies_and_lives_on(app, name, monkeypatch)


async def dies_and_lives_on(app, name, monkeypatch):
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, f"ended {name}")
        await until(pilot, "its last words")
        assert "the last words" in region_text(app, "#words")
        assert "fc1" in screen_text(app)
        monkeypatch.setattr("qdbg.capture.capture", lambda *_: recording())
        await pilot.press("ctrl+r")
        await ready(pilot)
        await pilot.press("n", "q")
    assert app.return_value == 0


async def test_leaving_a_running_capture_for_the_start_screen_cancels_it(monkeypatch):
    ended = threading.Event()

    def endless(request, progress, cancelled):
        progress("importing torch")
        while not cancelled():
            pass
        ended.set()
        raise Cancelled("the capture was cancelled")

    monkeypatch.setattr("qdbg.capture.capture", endless)
    app = app_for(MODEL, lambda: None)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, "importing torch")
        await pilot.press("H")
        assert isinstance(app.screen, HomeScreen)
        assert ended.wait(5)
        await pilot.press("q")
    assert app.return_value == 0


CASES = [
    (["models/iris_qat.py"], "iris_qat.py"),
    (["models/iris_qat.pth", "--sample", "rose"], "there is no sample called 'rose'"),
    (["models/iris_qat.pth", "--input", "none.npy"], "none.npy"),
    (["models/iris_qat.pth", "--sample", "setosa", "--source", "models/none.py"], "none.py"),
    (["models"], "models is a folder"),
    (["sessions/mystery.qdbg", "--sample", "setosa"], "--sample does not go with a session"),
]


@pytest.mark.parametrize(("argv", "words"), CASES)
async def test_whatever_is_wrong_is_a_screen_with_what_to_do(argv, words, monkeypatch):
    monkeypatch.chdir(MODEL.parents[1])
    app = QdbgApp(plan_of_words(argv))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, "try again")
        assert words in " ".join(region_text(app, "#progress").split())
        await pilot.press("q")
    assert app.return_value == 2
