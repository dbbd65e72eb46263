"""The picture of a channel: its marks, shades and numbers, the cursor in it, facts beside it."""

import re

import numpy as np
import pytest
from textual.events import MouseScrollDown

from qdbg.app.picture import FeatureMap
from qdbg.app.pictured import Pictured
from qdbg.app.theme import LIGHT
from qdbg.engine.picture import Picture
from tests.app.conftest import app_on, screen_text
from tests.app.seeing import LARGE, SIZES, TINY, lines, opened
from tests.app.stage import counted
from tests.images import Conv, recording


async def at_each_size(pilot):
    for size in SIZES:
        await pilot.resize_terminal(*size)
        yield size


@pytest.mark.parametrize("conv", [TINY, Conv(), LARGE])
async def test_the_picture_marks_every_difference_and_saturation_that_is_seen(stage, conv):
    async with stage(recording(conv), "textbook") as pilot:
        debugger = await opened(pilot, views=3)
        await pilot.press("D")
        async for size in at_each_size(pilot):
            drawn = pilot.app.screen.query_one(FeatureMap)
            differs, cut = marked(drawn, debugger.step, debugger.element)
            text = "\n".join(lines(pilot.app, "#pixels"))
            assert text.count("≠") == np.count_nonzero(differs) > 0, size
            assert len(re.findall("[↑↓]", text)) == np.count_nonzero(cut), size


def marked(drawn, step, element):
    """Which characters of what is seen of the picture have a mark: of a difference, of a cut."""
    rows, columns = drawn._room(Picture(step, element), drawn.scale)
    n, *_, channel = step.index_of(element)
    seen = np.s_[n, drawn.top : drawn.top + rows, drawn.left : drawn.left + columns]
    differs = step.different[(*seen, channel)]
    cut = step.cut[(*seen, channel)] != 0
    if drawn.scale.high > 1:
        pad = [(0, len(differs) % 2), (0, 0)]
        merge = lambda a: np.pad(a, pad).reshape(-1, 2, a.shape[1]).any(1)  # noqa: E731
        differs, cut = merge(differs), merge(cut)
        cut &= ~differs
    return differs, cut


async def test_a_picture_that_is_larger_than_the_terminal_stays_whole_while_that_is_resized(stage):
    async with stage(recording(LARGE), "textbook") as pilot:
        await opened(pilot, views=3)
        await pilot.press("D")
        for width, height in ((80, 24), (60, 16), (97, 31), (200, 60), (60, 16)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            assert "▸picture◂" in screen_text(pilot.app)


@pytest.mark.parametrize("size", SIZES)
async def test_beside_the_picture_stand_the_numbers_of_its_element(stage, size):
    async with stage(recording(), "textbook", size=size) as pilot:
        app = pilot.app
        debugger = await opened(pilot, views=3)
        await pilot.press("D")
        index = debugger.step.index_of(debugger.element)
        facts = " ".join(" ".join(lines(app, "#facts")).split())
        n, h, w, c = index
        assert f"element {debugger.element} n {n} h {h} w {w} c {c}" in facts
        assert f"PyTorch's [{n},{c},{h},{w}]" in facts
        step = debugger.step
        assert f"y_q {step.simulated[index]} captured {step.captured[index]}" in facts
        assert f"Δ {step.delta[index]:+} ≠" in facts
        text = screen_text(app).splitlines()
        assert max(map(len, text)) <= size[0]
        assert "next" in text[-1]


async def test_the_cursor_is_always_in_the_picture_and_its_place_on_the_rulers(stage):
    async with stage(recording(LARGE), "textbook") as pilot:
        app = pilot.app
        debugger = await opened(pilot, views=3)
        places = ("0,0,0", "59,89,1", "31,44,0", "30,44,0", "1,88,1")
        async for size in at_each_size(pilot):
            for row, column, channel in (place.split(",") for place in places):
                app.give("go", f"[h={row},w={column},c={channel}]")
                await pilot.pause()
                drawn = lines(app, "#pixels")
                assert re.search(rf"\b{column}\b", drawn[0]), size
                assert sum(f"{row}▸" in line for line in drawn) == 1, size
        assert debugger.step.name == "conv1:conv.clamp"


async def test_small_pictures_have_their_numbers_written_on_them(stage):
    async with stage(recording(TINY), "textbook") as pilot:
        app = pilot.app
        debugger = await opened(pilot, "conv1.clamp[0,2,3,5]", views=3)
        rows = [re.findall(r"\d+", line) for line in lines(app, "#pixels")[1:7]]
        values = debugger.step.simulated[0, :, :, 5].tolist()
        assert rows == [[str(h), *map(str, row)] for h, row in enumerate(values)]
        assert f"[{values[2][3]}" in "".join(lines(app, "#pixels")[3])


async def test_a_click_and_the_wheel_in_the_picture(stage):
    async with stage(recording(), "textbook") as pilot:
        debugger = await opened(pilot, "conv1.clamp[1,0,0,2]", views=3)
        await pilot.click("#pixels", offset=(4 + 2 * 5, 1 + 3))
        assert debugger.step.index_of(debugger.element) == (1, 3, 5, 2)
        await pilot.click("#pixels", offset=(1, 0))
        assert debugger.step.index_of(debugger.element) == (1, 3, 5, 2)


async def test_the_facts_say_what_the_wheel_has_brought_into_view(stage):
    async with stage(recording(conv=LARGE), "textbook") as pilot:
        await opened(pilot, views=3)
        drawn = pilot.app.screen.query_one(FeatureMap)
        before = drawn.top
        await pilot._post_mouse_events([MouseScrollDown], "#pixels", button=0)
        await pilot.pause()
        assert drawn.top > before
        assert f"seen {drawn.seen}" in " ".join(screen_text(pilot.app).split())


async def test_without_colour_the_shades_are_characters(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = app_on(recording())
    async with app.run_test(size=(120, 40)) as pilot:
        debugger = await opened(pilot, "conv1.clamp[1,0,0,2]", views=3)
        shades = np.minimum(debugger.step.simulated[1, :, :, 2].astype(int) * 5 // 255, 4)
        for h, line in enumerate(lines(app, "#pixels")[1:13]):
            wanted = "".join(" ░▒▓█"[shade] * 2 for shade in shades[h])
            cursor = 2 if h == 0 else 0
            assert line[4 + cursor :].rstrip() == wanted[cursor:].rstrip()
        assert lines(app, "#pixels")[1][4:6] == "[]"


async def test_the_picture_follows_the_theme(stage):
    async with stage(recording(), "textbook") as pilot:
        app = pilot.app
        await opened(pilot, views=3)
        dark = app.screen.query_one(FeatureMap).palette.ramp[-1]
        await pilot.press("t")
        await pilot.pause()
        await pilot.pause()
        light = app.screen.query_one(FeatureMap).palette.ramp[-1]
        assert light.brightness < 0.5 < dark.brightness


async def test_another_theme_just_before_the_picture_is_left_is_no_error(stage):
    async with stage(recording(), "textbook") as pilot:
        app = pilot.app
        await opened(pilot, views=3)
        app.theme = LIGHT.name
        app.show_debugger(app.debugger, app.plan)
        await counted(pilot)
        assert "▸picture◂" in screen_text(app)


async def test_a_call_that_is_not_simulated_is_a_picture_of_what_pytorch_computed():
    from tests.synthetic import with_unknown_op  # noqa: PLC0415

    app = app_on(with_unknown_op(recording(TINY)))
    async with app.run_test(size=(120, 40)) as pilot:
        debugger = await opened(pilot, "relu:relu", views=3)
        assert debugger.step.stage is None
        rows = [re.findall(r"\d+", line) for line in lines(app, "#pixels")[1:7]]
        values = debugger.step.captured[0, 0].tolist()
        assert rows == [[str(h), *map(str, row)] for h, row in enumerate(values)]


async def test_only_the_lines_that_change_are_drawn_again(stage):
    async with stage(recording(LARGE), "textbook") as pilot:
        app = pilot.app
        await opened(pilot, "conv1.clamp[0,4,4,0]", views=3)
        drawn, asked = app.screen.query_one(FeatureMap), []
        draw = drawn.draw_line
        drawn.draw_line = lambda y: asked.append(y) or draw(y)
        await pilot.press("right")
        await pilot.pause()
        assert set(asked) == {0, 3}


async def test_a_move_within_what_is_seen_of_a_picture_looks_at_no_pixel_again(stage, monkeypatch):
    async with stage(recording(LARGE), "textbook") as pilot:
        await opened(pilot, "conv1.clamp[0,4,4,0]", views=3)
        asked, part = [], Picture.part
        monkeypatch.setattr(Picture, "part", lambda *a, **b: asked.append(a) or part(*a, **b))
        await pilot.press("right", "j")
        await pilot.pause()
        assert not asked
        await pilot.press(")")
        await pilot.pause()
        assert len(asked) == 1


async def test_another_channel_draws_of_the_frame_around_its_picture_only_the_title(stage):
    async with stage(recording(LARGE), "textbook") as pilot:
        await opened(pilot, "conv1.clamp[0,4,4,0]", views=3)
        frame = pilot.app.screen.query_one(Pictured)
        before = frame.render_lines(frame.outer_size.region)
        await pilot.press(")")
        await pilot.pause()
        after = frame.render_lines(frame.outer_size.region)
        both = enumerate(zip(before, after, strict=True))
        assert [y for y, (old, new) in both if old is not new] == [0]
