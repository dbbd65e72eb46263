"""Behind an element of a convolution: the window that it reads."""

import re

import pytest

from qdbg.app.element import ElementScreen
from tests.app.conftest import screen_text
from tests.app.seeing import SIZES, lines, opened
from tests.images import recording


async def test_the_drill_down_shows_the_window_its_padding_and_the_other_channels(stage):
    async with stage(recording(), "textbook") as pilot:
        app = pilot.app
        debugger = await opened(pilot, "conv1.clamp[1,0,4,2]")
        await pilot.press("s")
        await pilot.pause()
        image = debugger.recording.values[0]
        await pilot.press("comma", "comma")
        for channel in (0, 1, 2):
            await pilot.pause()
            text = lines(app, "#window")
            assert f"channel {channel} of 0…2" in text[0]
            assert re.findall(r"-?\d+", text[1].split("w_q")[0]) == ["3", "4", "5"]
            assert text[2].count("░░░") == 3
            for row in (0, 1):
                numbers = re.findall(r"-?\d+", text[3 + row])[:4]
                assert numbers == [str(row), *map(str, image[1, channel, row, 3:6])]
            await pilot.press("full_stop")
        assert debugger.step.index_of(debugger.element) == (1, 0, 4, 2)


@pytest.mark.parametrize("size", SIZES)
async def test_v_shows_and_hides_the_window_at_every_size(stage, size):
    async with stage(recording(), "textbook", size=size) as pilot:
        app = pilot.app
        await opened(pilot, "conv1.clamp[1,0,4,2]")
        await pilot.press("s")
        await pilot.pause()
        assert isinstance(app.screen, ElementScreen)
        wide = size[0] >= 110
        assert ("window in the 12×14 input" in screen_text(app)) == wide
        await pilot.press("v")
        await pilot.pause()
        assert ("window in the 12×14 input" in screen_text(app)) != wide
        text = screen_text(app)
        assert "the way of" in text
        assert "next" in text.splitlines()[-1]
        assert wide or "░░░" in text
        assert app.view == "table"


async def test_in_the_drill_down_the_keys_move_along_the_axes_too(stage):
    async with stage(recording(), "textbook") as pilot:
        app = pilot.app
        debugger = await opened(pilot, "conv1.clamp[1,0,4,2]", views=3)
        await pilot.press("s", "down", "l", "right_parenthesis")
        assert debugger.step.index_of(debugger.element) == (1, 1, 5, 3)
        await pilot.pause()
        assert "behind conv1:conv[1,1,5,3]" in screen_text(app)
