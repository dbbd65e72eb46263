"""A screen that was left does nothing more."""

import asyncio

import pytest

from tests.app.conftest import app_on
from tests.app.stage import counted


def after_the_refresh(screen, note):
    screen.call_after_refresh(note)


def from_a_thread(screen, note):
    return asyncio.get_running_loop().run_in_executor(None, screen.from_thread, note)


@pytest.mark.parametrize("put_off", [after_the_refresh, from_a_thread])
@pytest.mark.parametrize("left", [False, True], ids=["there", "left"])
async def test_what_a_screen_puts_off_ends_with_it(put_off, left):
    noted = []
    async with app_on().run_test(size=(100, 30)) as pilot:
        await counted(pilot)
        await pilot.press("question_mark")
        screen = pilot.app.screen

        def note():
            noted.append(bool(screen.query("#box")))

        asked = put_off(screen, note)
        if left:
            screen.dismiss(None)
        elif asked is not None:  # a busy machine may start the thread late
            await asked
        for _ in range(200 if not left else 20):
            await pilot.pause()
            if noted:
                break
    assert noted == ([] if left else [True])
