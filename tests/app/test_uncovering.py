"""What a message covered is drawn again when it goes."""

from textual._compositor import Compositor

from tests.app import idle
from tests.app.conftest import app_on, screen_text
from tests.app.stage import counted


def asked_between(monkeypatch):
    """Before each layout somebody asks for a region, as the mouse does, and Textual takes what it
    finds then for the last layout. Gives the regions that are drawn."""
    reflow, render = Compositor.reflow, Compositor.render_update
    drawn = []

    def asked_first(compositor, *arguments):
        compositor._full_map_invalidated = True
        _ = compositor.full_map
        return reflow(compositor, *arguments)

    def noted(compositor, *arguments, **options):
        drawn.extend(compositor._dirty_regions)
        return render(compositor, *arguments, **options)

    monkeypatch.setattr(Compositor, "reflow", asked_first)
    monkeypatch.setattr(Compositor, "render_update", noted)
    return drawn


async def until(pilot, messages):
    """Wait until so many are there and drawn."""
    await idle.until(pilot, lambda: len(pilot.app.screen.query("Toast")) == messages)
    await pilot.pause()


async def test_the_place_of_a_message_that_is_gone_is_drawn(monkeypatch):
    async with app_on().run_test(size=(120, 40), notifications=True) as pilot:
        await counted(pilot)
        drawn = asked_between(monkeypatch)
        pilot.app.notify("soon gone", timeout=600)
        await until(pilot, 1)
        place = pilot.app.screen.query_one("Toast").region
        assert place
        drawn.clear()
        pilot.app.clear_notifications()
        await until(pilot, 0)
        assert any(region.contains_region(place) for region in drawn)


async def test_a_new_message_takes_the_place_of_the_one_before():
    async with app_on().run_test(size=(60, 16), notifications=True) as pilot:
        await counted(pilot)
        for text in ("first", "same", "same"):
            pilot.app.notify(text, timeout=600)
        await pilot.pause()
        await until(pilot, 1)
        assert "same" in screen_text(pilot.app)
        await pilot.press("equals_sign")
        await until(pilot, 0)
        assert "what if another number" in screen_text(pilot.app)
