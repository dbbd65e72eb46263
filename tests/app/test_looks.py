"""The reviewed pictures of the screens, as text."""

from tests.app.conftest import app_on_file, ready
from tests.app.snapshot import assert_snapshot

SIZES = [(120, 40), (80, 24), (60, 16), (200, 60)]


async def test_the_screens_look_as_reviewed_at_every_size():
    app = app_on_file("mystery.qdbg", "textbook")
    async with app.run_test(size=SIZES[0]) as pilot:
        await ready(pilot)
        await pilot.press("c")
        for width, height in SIZES:
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            assert_snapshot(app, f"main/{width}x{height}")
