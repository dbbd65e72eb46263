"""The command palette under the mouse."""

from textual.command import CommandList
from textual.events import Click

from qdbg.app.main import MainScreen
from qdbg.app.palette import Palette


async def opened(pilot):
    """The palette's list, with every command in it."""
    await pilot.press("ctrl+p")
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    assert isinstance(pilot.app.screen, Palette)
    return pilot.app.screen.query_one(CommandList)


async def test_a_click_gives_its_command_and_a_second_one_nothing(stage):
    async with stage() as pilot:
        before = pilot.app.debugger.step.index
        found = await opened(pilot)
        await pilot.double_click(found, offset=(4, 1))
        await pilot.pause()
        assert isinstance(pilot.app.screen, MainScreen)
        assert pilot.app.debugger.step.index == before + 1


async def test_a_click_on_a_command_that_is_gone_meanwhile_gives_nothing(stage):
    async with stage() as pilot:
        found = await opened(pilot)
        row = found.region
        style = pilot.app.screen.get_style_at(row.x + 4, row.y + 4)
        assert style.meta["option"] > 0
        place = {"x": 4, "y": 4, "delta_x": 0, "delta_y": 0, "button": 1, "style": style}
        found.clear_options()
        found.post_message(Click(found, **place, shift=False, meta=False, ctrl=False))
        await pilot.pause()
        assert isinstance(pilot.app.screen, Palette)
        await pilot.press("escape")
