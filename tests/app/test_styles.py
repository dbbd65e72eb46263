"""The styles are read and applied once, not again for each screen and each class that it gets."""

from collections import Counter

from textual.css.stylesheet import Stylesheet

from tests.app.conftest import app_on, ready


async def test_no_screen_makes_the_app_read_its_styles_again(monkeypatch):
    calls = Counter()
    for name in ("reparse", "update"):
        counted(monkeypatch, calls, name)
    app = app_on(arithmetic="textbook")
    async with app.run_test(size=(60, 15)) as pilot:
        await ready(pilot)
        screens = {type(app.screen)}
        for key in ("s", "L", "a", "d", "colon", "m", "question_mark", "B", "ctrl+p", "H"):
            await pilot.press(key)
            screens.add(type(app.screen))
            await pilot.press("escape")
        assert len(screens) == 11
        assert calls == {}
        await pilot.press("t")
        assert calls["reparse"] == 1, "another theme reads them anew, so this can be seen"


def counted(monkeypatch, calls, name):
    real = getattr(Stylesheet, name)

    def count(sheet, *args, **named):
        calls[name] += 1
        return real(sheet, *args, **named)

    monkeypatch.setattr(Stylesheet, name, count)


async def test_another_size_gives_a_screen_its_look_at_one_go(stage, monkeypatch):
    async with stage(size=(200, 60)) as pilot:
        screen, styled = pilot.app.screen, []
        monkeypatch.setattr(
            screen, "update_node_styles", lambda **_: styled.append(set(screen.classes))
        )
        await pilot.resize_terminal(60, 15)
        assert styled == [{"-narrow", "-tiny"}]
