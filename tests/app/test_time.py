"""Undo, origins, breakpoints and watches by their keys, and once in a real terminal."""

import pytest

from qdbg.app.dialogs import Ask, Choose
from qdbg.app.lists import EditList
from qdbg.app.main import MainScreen
from tests.app.conftest import screen_text
from tests.app.terminal import SESSIONS, Terminal
from tests.synthetic import recording


def place(app):
    return app.debugger.step.name, app.debugger.element


async def test_undo_and_redo_take_one_command_each(stage):
    async with stage(arithmetic="textbook", size=(80, 24)) as pilot:
        app = pilot.app
        visited = [place(app)]
        for keys in ("c", "j", "r"):
            await pilot.press(*keys)
            visited.append(place(app))
        await pilot.press("u", "u", "u")
        assert place(app) == visited[0]
        await pilot.press("U", "U")
        assert place(app) == visited[2]


async def test_origin_lists_what_a_sum_adds_and_out_comes_back(stage):
    async with stage(arithmetic="textbook") as pilot:
        app = pilot.app
        app.give("go", "fc2.mac[1]")
        before = place(app)
        await pilot.press("O")
        assert isinstance(app.screen, Choose)
        largest = app.debugger.origins[0]
        await pilot.pause()
        await pilot.pause()
        assert f"{largest.contribution:+}" in screen_text(app)
        await pilot.press("j", "enter")
        assert app.debugger.step.name == "fc2:linear.centre"
        assert "2 of 16" in app.debugger.stop.reason
        await pilot.press("O")
        assert app.debugger.step.name == "relu:relu.relu"
        await pilot.press("o", "o")
        assert place(app) == before
        await pilot.press("o")
        assert place(app) == before


async def test_breakpoints_are_switched_removed_and_added_in_their_list(stage):
    async with stage() as pilot:
        app = pilot.app
        await pilot.press("n", "b", "B")
        assert isinstance(app.screen, EditList)
        await pilot.press("enter", "b")
        assert isinstance(app.screen, Ask)
        await pilot.press(*"acc > 0", "enter")
        await pilot.pause()
        text = screen_text(app)
        assert "acc > 0" in text
        assert "off" in text
        await pilot.press("j", "d", "escape")
        assert isinstance(app.screen, MainScreen)
        points = app.debugger.breakpoints.all
        assert [(one.spot, one.enabled) for one in points] == [
            ("difference", False), ("acc > 0", True),
        ]  # fmt: skip
        await pilot.press("c")
        assert "breakpoint 2: acc > 0" in screen_text(app).splitlines()[1]
        assert app.debugger.step.simulated.ravel()[app.debugger.element] > 0


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (200, 60)])
async def test_watches_follow_the_cursor_in_a_panel_that_can_be_hidden(stage, size):
    async with stage(arithmetic="textbook", size=size) as pilot:
        app = pilot.app
        app.give("watch", "y_q - y_zp")
        app.give("go", "fc1.clamp[3]")
        await pilot.press("w")
        await pilot.pause()
        step = app.debugger.step
        shown = step.simulated.ravel()[3]
        zero_point = int(step.node.output.zero_point)
        text = screen_text(app)
        assert f"y_q {shown}, PyTorch {step.captured.ravel()[3]}, Δ" in text
        assert f"fc1 clamp {shown - zero_point}" in text
        assert "captured" in text
        await pilot.press("W", "v", "escape")
        await pilot.pause()
        assert "fc1 clamp" not in screen_text(app)
        await pilot.press("W", "d", "d", "escape")
        assert app.debugger.watches.all == []


async def test_more_watches_than_lines_are_counted(stage):
    async with stage(recording(rows=2), size=(80, 24)) as pilot:
        app = pilot.app
        for text in ("acc", "n", "c + 1"):
            app.give("watch", text)
        await pilot.pause()
        assert "… 2 more: W lists them" in screen_text(app)


def test_a_script_runs_and_the_keys_of_time_work_in_a_real_terminal(tmp_path):
    options = ("--arith", "textbook", "--break", "abs(delta) > 14", "--watch", "delta",
               "--run", "disable difference; continue")  # fmt: skip
    with Terminal(SESSIONS / "mystery.qdbg", *options, cwd=tmp_path) as terminal:
        terminal.until("breakpoint 2: abs(delta) > 14, true for")
        terminal.until("fc1 clamp")
        terminal.press("O").until("origin of fc1:linear.clamp[")
        terminal.press("o").until("undo of origin")
        terminal.press("U").until("redo of origin")
        terminal.press("u").until("undo of origin")
        terminal.press("B").until("on or off")
        terminal.press("q", "w").until("watching fc1:linear.clamp[")
        terminal.press("W").until("another one")
        terminal.press("q", "q")
        assert terminal.ended() == 0


def test_a_wrong_script_is_named_on_the_first_screen(tmp_path):
    with Terminal(SESSIONS / "mystery.qdbg", "--run", "next; go fc9", cwd=tmp_path) as terminal:
        terminal.until("--run, command 2 (go fc9)")
        terminal.press("q")
        assert terminal.ended() == 2
