"""Long work on the screen: a window with its progress, a key that ends it, nothing half done."""

import threading

import pytest

from qdbg.app import app as app_module
from qdbg.app import working
from qdbg.app.working import WorkingScreen
from qdbg.core.work import doing
from tests.app.conftest import app_on, ready
from tests.app.idle import until
from tests.app.snapshot import screen_text


@pytest.fixture
def slow(monkeypatch):
    """Every command takes as long as the test wants, in steps that it counts."""
    monkeypatch.setattr(app_module, "LARGE", 0)
    monkeypatch.setattr(working, "PATIENCE", 0.0)
    return threading.Event()


def held_up(debugger, let_go):
    own = debugger.execute

    def execute(command):
        doing("layer1.0.conv1", 3, 12)
        let_go.wait(20)
        doing("layer1.0.conv2", 4, 12)
        return own(command)

    debugger.execute = execute


async def test_a_long_command_names_the_layer_and_then_arrives(slow):
    app = app_on()
    async with app.run_test(size=(100, 30)) as pilot:
        await ready(pilot)
        held_up(app.debugger, slow)
        await pilot.press("r")
        await until(pilot, lambda: "3/12" in screen_text(app))
        assert "layer1.0.conv1" in screen_text(app)
        slow.set()
        await until(pilot, lambda: not isinstance(app.screen, WorkingScreen))
        assert app.debugger.stop.reason == "end of the run"


async def test_esc_ends_a_long_command_and_nothing_has_changed(slow):
    app = app_on()
    async with app.run_test(size=(100, 30)) as pilot:
        await ready(pilot)
        before = app.debugger.stop
        held_up(app.debugger, slow)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, WorkingScreen))
        await pilot.press("escape")
        slow.set()
        await until(pilot, lambda: not isinstance(app.screen, WorkingScreen))
        assert app.debugger.stop == before
        assert not app.debugger.history
