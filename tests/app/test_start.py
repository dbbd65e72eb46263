"""The first screen: layers at once, progress in words, and what is wrong with the input."""

import shutil
import threading
from pathlib import Path

from qdbg.app.app import QdbgApp
from qdbg.app.main import MainScreen
from qdbg.app.plan import Plan
from qdbg.capture import Request
from qdbg.errors import SampleError
from qdbg.samples import named_sample
from tests.app.conftest import screen_text
from tests.synthetic import recording

MODEL = Path(__file__).parents[2] / "models" / "iris_qat.pth"


def app_for(path, opening):
    return QdbgApp(Plan(str(path), opening, None, None, None))


async def until(pilot, words):
    for _ in range(100):
        await pilot.pause(0.05)
        if words in screen_text(pilot.app):
            return
    raise AssertionError(screen_text(pilot.app))


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
        await pilot.press("n")  # nothing to step through yet: refused in words, no crash
        release.set()
        for _ in range(100):
            await pilot.pause(0.05)
            if isinstance(app.screen, MainScreen):
                break
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
        await until(pilot, "the input has 3 numbers (expected 4)")
        await pilot.press("q")
    assert app.return_value == 2
    assert app.problem == "the input has 3 numbers (expected 4)"
