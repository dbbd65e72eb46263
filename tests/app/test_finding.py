"""Rows are filtered, names completed, and everything is found by its name."""

import numpy as np
import pytest

from qdbg.app.grid import Grid
from qdbg.core.presets import ARITHMETICS
from qdbg.debugger import Debugger
from qdbg.engine.finding import elements
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from tests.app.conftest import screen_text
from tests.synthetic import recording


async def typed(pilot, key, text):
    await pilot.press(key)
    await pilot.pause()
    await pilot.press(*text, "enter")
    await pilot.pause()


async def test_a_filter_shows_its_rows_their_number_and_esc_shows_all(stage):
    async with stage(arithmetic="textbook") as pilot:
        app = pilot.app
        app.give("go", "fc1")
        different = np.flatnonzero(app.debugger.step.different)
        await typed(pilot, "slash", "!=")
        grid = app.screen.query_one("#table", Grid)
        assert len(grid.source) == different.size
        assert f"/ !=: {different.size} of 16" in screen_text(app)
        assert app.debugger.element == different[0]
        await pilot.press("j")
        assert app.debugger.element == different[1]
        await pilot.press("G", "escape")
        assert app.debugger.element == different[-1]
        assert len(grid.source) == 16


async def test_the_prompt_goes_to_a_place_and_runs_any_command(stage):
    async with stage() as pilot:
        app = pilot.app
        await pilot.press("colon", *"fc1.m", "right", "enter")
        await pilot.pause()
        assert app.debugger.step.name == "fc1:linear.mac"
        await typed(pilot, "colon", "set fc1.b[8] = 1.5")
        assert [change.text for change in app.debugger.changes] == ["fc1.b[8] = 1.5"]
        await typed(pilot, "colon", "fc2.mac[1]")
        assert (app.debugger.step.name, app.debugger.element) == ("fc2:linear.mac", 1)


async def test_the_palette_has_every_layer(stage):
    async with stage() as pilot:
        app = pilot.app
        await pilot.press("ctrl+p")
        await pilot.press(*"go to fc2")
        await app.workers.wait_for_complete()
        await pilot.press("enter", "enter")
        await pilot.pause()
        assert app.debugger.step.name == "fc2:linear.clamp"


async def test_the_help_begins_with_the_place_and_can_be_searched(stage):
    async with stage() as pilot:
        app = pilot.app
        await pilot.press("question_mark")
        await pilot.pause()
        assert "Here: the table of a stage" in screen_text(app)
        await pilot.press("escape", "f", "f", "s", "question_mark")
        await pilot.pause()
        assert "Here: the computation of one element" in screen_text(app)
        await pilot.press("slash", *"svg")
        await pilot.pause()
        text = screen_text(app)
        assert "save the screen as an SVG picture" in text
        assert "next stage" not in text
        await pilot.press("escape")
        assert app.screen.place[0] == "the computation of one element"


@pytest.fixture(scope="module")
def trace():
    return Trace(recording(), ARITHMETICS["textbook"])


def at(trace, stage):
    debugger = Debugger(trace.recording, "textbook")
    debugger.execute(f"go {stage}")
    return trace.step(debugger.stop.mark.step)


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("≠", lambda s: s.different),
        ("diff >100", lambda s: s.different & (s.simulated > 100)),
        ("c=8", lambda s: np.arange(16) == 8),
        (">=128 <200", lambda s: (s.simulated >= 128) & (s.simulated < 200)),
        ("sat", lambda s: s.cut != 0),
        ("abs(delta) > 1 and c > 3", lambda s: (np.abs(s.delta) > 1) & (np.arange(16) > 3)),
        ("tie", lambda s: np.zeros(16, bool)),
        ("changed", lambda s: np.zeros(16, bool)),
    ],
)
def test_each_form_of_a_filter_keeps_the_elements_it_describes(trace, text, mask):
    step = at(trace, "fc1")
    assert elements(trace, step, text).tolist() == np.flatnonzero(mask(step)).tolist()


@pytest.mark.parametrize("text", ["", "nonsense", "c = = 8", "__import__('os')"])
def test_what_is_no_filter_is_refused_in_words(trace, text):
    with pytest.raises(CommandError):
        elements(trace, at(trace, "fc1"), text)
