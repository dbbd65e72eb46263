"""Results of convolutions: by channel, by pixel, and as a picture."""

from dataclasses import replace

from qdbg.app.sources import LayerTable
from qdbg.engine.browse import axes_of
from qdbg.session import shortened
from tests.app.conftest import app_on, ready, region_text, screen_text
from tests.app.seeing import opened
from tests.images import Conv, recording


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


async def test_moves_on_the_screen_are_kept_as_one_selection_of_an_element(stage):
    async with stage(recording(), "textbook") as pilot:
        debugger = await opened(pilot, "conv1.clamp", views=3)
        await pilot.press("right", "down", "right_parenthesis")
        element = axes_of(debugger.step).element((0, 1, 1, 1))
        commands = [done.command for done in shortened(debugger.history)]
        assert commands == ["go conv1.clamp", f"element {element}"]


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
    (name, *_) = LayerTable([replace(made.program.layers["conv1"], path=path)], 60).row(0).cells
    assert name.startswith("…") and path.endswith(name.removeprefix("…"))
