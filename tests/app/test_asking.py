"""Windows that ask: for a place, a letter, an arithmetic, a command; each answered once."""

import pytest

from qdbg.app.dialogs import Ask, AskLetter
from qdbg.debugger import Debugger
from tests.app.conftest import app_on, screen_text
from tests.app.test_commands import opened


async def test_go_asks_for_a_place_and_refuses_a_wrong_one_in_words():
    app = app_on()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        debugger = await opened(pilot, "colon")
        assert isinstance(app.screen, Ask)
        await pilot.press(*"fc2.mac", "left_square_bracket", "2", "right_square_bracket", "enter")
        assert (debugger.step.name, debugger.element) == ("fc2:linear.mac", 2)
        await pilot.press("colon", *"fc9", "enter")
        await pilot.pause()
        assert "there is no place 'fc9'" in screen_text(app)
        await pilot.press("colon", "escape")
        assert debugger.step.name == "fc2:linear.mac"


async def test_marks_are_set_and_found_by_letter(stage):
    async with stage(size=(80, 24)) as pilot:
        app = pilot.app
        debugger = await opened(pilot, "n", "m")
        assert isinstance(app.screen, AskLetter)
        await pilot.press("x")
        await pilot.press("r", "apostrophe", "x")
        assert debugger.stop.mark.step == 1


async def test_the_arithmetic_is_chosen_from_the_table_of_differences(stage):
    async with stage() as pilot:
        app = pilot.app
        debugger = await opened(pilot, "a")
        text = screen_text(app)
        assert "textbook" in text
        assert f"≠ {Debugger(debugger.recording, 'textbook').trace.differences}" in text
        await pilot.press("j", "j", "j", "j", "j", "j", "enter")
        assert debugger.trace.arithmetic.name == "textbook"
        assert "of 42 values differ under textbook" in screen_text(app)


async def test_the_palette_finds_a_command_by_its_words(stage):
    async with stage() as pilot:
        debugger = await opened(pilot, "ctrl+p")
        await pilot.press(*"end of the model")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert debugger.stop.mark.step == len(debugger.trace) - 1


@pytest.mark.parametrize("keys", ["colon", "ctrl+p", "a"])
async def test_a_window_that_is_answered_twice_closes_once(stage, keys):
    """Keys that were typed ahead come before it is gone."""
    async with stage(size=(80, 24)) as pilot:
        app = pilot.app
        await opened(pilot)
        below = list(app.screen_stack)
        await pilot.press(keys)
        await pilot.pause()
        window = app.screen
        window.dismiss(None)
        window.dismiss(None)
        await pilot.pause()
        assert app.screen_stack == below


async def test_a_window_below_another_one_is_not_answered(stage):
    async with stage(size=(80, 24)) as pilot:
        app = pilot.app
        await opened(pilot, "colon")
        below = app.screen
        app.give("arithmetic")
        await pilot.pause()
        stack = list(app.screen_stack)
        below.dismiss("fc1")
        await pilot.pause()
        assert app.screen_stack == stack
