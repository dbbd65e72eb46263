"""Results of convolutions: by channel, by pixel, as a picture, and the window behind an element."""

import re
from dataclasses import replace

import numpy as np
import pytest

from qdbg.app.element import ElementScreen
from qdbg.app.picture import FeatureMap
from qdbg.app.sources import LayerTable
from qdbg.engine.browse import axes_of
from qdbg.engine.picture import Picture
from qdbg.session import shortened
from tests.app.conftest import app_on, ready, region_text, screen_text
from tests.images import Conv, recording

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


async def test_v_goes_through_the_views_and_says_which_one_is_seen(stage):
    async with stage(recording(), "textbook") as pilot:
        app = pilot.app
        await opened(pilot)
        for view in ("channel", "pixel", "picture", "table"):
            await pilot.press("v")
            await pilot.pause()
            assert f"▸{view}◂" in screen_text(app)
            assert app.screen.query_one("#map").display == (view == "picture")


async def test_what_is_no_image_stays_a_table_and_says_why():
    app, said = app_on(), []
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        app.notify = lambda text, **_: said.append(text)
        await pilot.press("f", "f", "v")
        assert "no image" in said[0]
        assert "▸table◂" not in screen_text(app)
        assert app.screen.query_one("#table").display


async def test_the_view_stays_when_the_cursor_leaves_the_image_and_comes_back(stage):
    async with stage(recording(), "textbook") as pilot:
        app = pilot.app
        await opened(pilot, views=3)
        for key in ("n", "N", "N"):
            await pilot.press(key)
            await pilot.pause()
            assert "▸picture◂" in screen_text(app)


async def test_the_table_of_one_channel_and_of_one_pixel(stage):
    async with stage(recording(), "textbook") as pilot:
        app = pilot.app
        debugger = await opened(pilot, "conv1.clamp[1,3,4,2]", views=1)
        index = lambda: debugger.step.index_of(debugger.element)  # noqa: E731
        table = app.screen.query_one("#table")
        assert len(table.source) == 12 * 14
        assert "channel 2 of 8 n=1" in screen_text(app)
        await pilot.press("j")
        assert index() == (1, 3, 5, 2)
        await pilot.press("l", "h", "h")
        assert index() == (1, 3, 4, 2)
        await pilot.press("right_parenthesis")
        assert index() == (1, 3, 4, 3)
        await pilot.press("comma", "left_parenthesis")
        assert index() == (0, 3, 4, 2)
        await pilot.press("G")
        assert index() == (0, 11, 13, 2)
        await pilot.press("g", "full_stop")
        assert index() == (1, 0, 0, 2)
        await pilot.press("v")
        assert len(table.source) == 8
        assert "pixel h=0 w=0 n=1" in screen_text(app)
        await pilot.press("j", "j")
        assert index() == (1, 0, 0, 4)
        await pilot.press("right")
        assert debugger.step.name == "relu:relu.relu"


async def test_a_click_in_a_channels_table_selects_its_element(stage):
    async with stage(recording(), "textbook") as pilot:
        debugger = await opened(pilot, "conv1.clamp[1,0,0,2]", views=1)
        await pilot.click("#table", offset=(10, 6))
        assert debugger.step.index_of(debugger.element) == (1, 0, 4, 2)


async def test_the_arrow_keys_move_in_the_picture_and_in_time_elsewhere(stage):
    async with stage(recording(), "textbook") as pilot:
        debugger = await opened(pilot, "conv1.clamp[1,3,4,2]", views=3)
        index = lambda: debugger.step.index_of(debugger.element)  # noqa: E731
        await pilot.press("right", "right", "down", "left", "up", "up")
        assert index() == (1, 2, 5, 2)
        await pilot.press("G")
        assert index() == (1, 11, 13, 2)
        await pilot.press("right", "down")
        assert index() == (1, 11, 13, 2)
        step = debugger.stop.mark.step
        await pilot.press("v", "left")
        assert debugger.stop.mark.step == step - 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("conv", [TINY, Conv(), LARGE])
async def test_the_picture_marks_every_difference_and_saturation_that_is_seen(stage, size, conv):
    async with stage(recording(conv), "textbook", size=size) as pilot:
        app = pilot.app
        debugger = await opened(pilot, views=3)
        await pilot.press("D")
        drawn = app.screen.query_one(FeatureMap)
        step = debugger.step
        picture = Picture(step, debugger.element)
        rows, columns = drawn._room(picture, drawn.scale)
        n, *_, channel = step.index_of(debugger.element)
        seen = np.s_[n, drawn.top : drawn.top + rows, drawn.left : drawn.left + columns]
        differs = step.different[(*seen, channel)]
        cut = step.cut[(*seen, channel)] != 0
        if drawn.scale.high > 1:
            pad = [(0, len(differs) % 2), (0, 0)]
            merge = lambda a: np.pad(a, pad).reshape(-1, 2, a.shape[1]).any(1)  # noqa: E731
            differs, cut = merge(differs), merge(cut)
            cut &= ~differs
        text = "\n".join(lines(app, "#pixels"))
        assert text.count("≠") == np.count_nonzero(differs) > 0
        assert len(re.findall("[↑↓]", text)) == np.count_nonzero(cut)


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


@pytest.mark.parametrize("size", SIZES)
async def test_the_cursor_is_always_in_the_picture_and_its_place_on_the_rulers(stage, size):
    async with stage(recording(LARGE), "textbook", size=size) as pilot:
        app = pilot.app
        debugger = await opened(pilot, views=3)
        for place in ("0,0,0", "59,89,1", "31,44,0", "30,44,0", "1,88,1"):
            row, column, channel = place.split(",")
            app.give("go", f"[h={row},w={column},c={channel}]")
            await pilot.pause()
            drawn = lines(app, "#pixels")
            assert re.search(rf"\b{column}\b", drawn[0])
            assert sum(f"{row}▸" in line for line in drawn) == 1
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


async def test_a_call_that_is_not_simulated_is_a_picture_of_what_pytorch_computed():
    from tests.synthetic import with_unknown_op  # noqa: PLC0415

    app = app_on(with_unknown_op(recording(TINY)))
    async with app.run_test(size=(120, 40)) as pilot:
        debugger = await opened(pilot, "relu:relu", views=3)
        assert debugger.step.stage is None
        rows = [re.findall(r"\d+", line) for line in lines(app, "#pixels")[1:7]]
        values = debugger.step.captured[0, 0].tolist()
        assert rows == [[str(h), *map(str, row)] for h, row in enumerate(values)]


# ------------------------------------------------------------------------ behind an element


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


async def test_moves_on_the_screen_are_kept_as_one_selection_of_an_element(stage):
    async with stage(recording(), "textbook") as pilot:
        debugger = await opened(pilot, "conv1.clamp", views=3)
        await pilot.press("right", "down", "right_parenthesis")
        element = axes_of(debugger.step).element((0, 1, 1, 1))
        commands = [done.command for done in shortened(debugger.history)]
        assert commands == ["go conv1.clamp", f"element {element}"]


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


async def test_go_offers_pytorchs_order(stage):
    async with stage(recording(), "textbook") as pilot:
        app = pilot.app
        debugger = await opened(pilot)
        await pilot.press("colon")
        assert "[n,h,w,c] · [nchw 0,0,0,0]" in region_text(app, "#box")
        await pilot.press("left_square_bracket", *"nchw 1,2,3,4", "right_square_bracket", "enter")
        assert debugger.step.index_of(debugger.element) == (1, 3, 4, 2)


def test_of_a_long_path_the_end_is_shown_which_tells_the_layers_apart():
    path = "features.10.depthwise.0.of.a.block.in.a.block.in.a.net"
    made = recording(Conv(size=(4, 4), inputs=2, outputs=2))
    (name, *_) = (
        LayerTable({path: replace(made.program.layers["conv1"], path=path)}, 60).row(0).cells
    )
    assert name.startswith("…") and path.endswith(name.removeprefix("…"))
