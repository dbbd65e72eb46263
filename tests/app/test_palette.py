"""The command palette under the mouse."""

from textual.command import CommandList
from textual.events import Click
from textual.geometry import Offset

from qdbg.app.main import MainScreen
from qdbg.app.palette import Palette


async def opened(pilot):
    """The palette's list, with every command in it."""
    await pilot.press("ctrl+p")
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    assert isinstance(pilot.app.screen, Palette)
    return pilot.app.screen.query_one(CommandList)


def click(found, row):
    """A click on this row of the list, as Textual tells the list of it."""
    place = found.region.offset + Offset(4, row)
    style = found.screen.get_style_at(*place)
    keys = {"shift": False, "meta": False, "ctrl": False}
    return Click(found, 4, row, 0, 0, 1, **keys, style=style)


async def test_of_two_clicks_the_first_gives_its_command_and_the_second_nothing(stage):
    async with stage() as pilot:
        before = pilot.app.debugger.step.index
        found = await opened(pilot)
        clear, second = found.clear_options, click(found, 1)

        def cleared():
            """The second click comes when the first has taken the commands off the list."""
            found.post_message(second)
            return clear()

        found.clear_options = cleared
        found.post_message(click(found, 1))
        await pilot.pause()
        assert isinstance(pilot.app.screen, MainScreen)
        assert pilot.app.debugger.step.index == before + 1


async def test_a_click_on_a_command_that_is_gone_meanwhile_gives_nothing(stage):
    async with stage() as pilot:
        found = await opened(pilot)
        gone = click(found, 4)
        assert gone.style.meta["option"] > 0
        found.clear_options()
        found.post_message(gone)
        await pilot.pause()
        assert isinstance(pilot.app.screen, Palette)
        await pilot.press("escape")
