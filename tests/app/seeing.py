"""How tests see the result of a convolution, and at which sizes of the terminal."""

from tests.app.conftest import ready, screen_text
from tests.images import Conv

SIZES = [(120, 40), (80, 24), (60, 16), (97, 31), (200, 60)]
TINY, LARGE = Conv(size=(6, 7), samples=1), Conv(size=(60, 90), outputs=2, samples=1)


async def opened(pilot, place="conv1.clamp", views=0):
    await ready(pilot)
    pilot.app.give("go", place)
    await pilot.press(*"v" * views)
    await pilot.pause()
    await pilot.pause()
    return pilot.app.debugger


def lines(app, selector):
    """The screen's lines where a widget stands."""
    region = app.screen.query_one(selector).region
    rows = screen_text(app).splitlines()[region.y : region.bottom]
    return [row.ljust(region.right)[region.x : region.right] for row in rows]
