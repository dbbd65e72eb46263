"""Each key of the command table does what its row says."""

import numpy as np
import pytest
from textual.css.query import NoMatches

from qdbg.app.dialogs import Ask, AskLetter, Help
from qdbg.app.element import ElementScreen
from qdbg.app.keyline import KeyLine
from qdbg.app.layers import LayersScreen
from qdbg.app.main import MainScreen
from qdbg.commands import COMMANDS
from qdbg.debugger import Debugger
from qdbg.engine.terms import terms
from qdbg.session import load
from tests.app.conftest import app_on, ready, screen_text
from tests.synthetic import recording


async def opened(pilot, *keys):
    await ready(pilot)
    await pilot.press(*keys)
    return pilot.app.debugger


async def test_arrow_keys_and_letters_step_in_both_directions(stage):
    async with stage(size=(80, 24)) as pilot:
        debugger = await opened(pilot, "n", "right", "f10")
        assert debugger.stop.mark.step == 3
        await pilot.press("N", "left")
        assert debugger.stop.mark.step == 1


async def test_the_runs_go_to_differences_layers_ends_and_saturations(stage):
    async with stage(arithmetic="textbook", size=(80, 24)) as pilot:
        debugger = await opened(pilot, "c")
        assert debugger.step.name == "fc1:linear.clamp"
        await pilot.press("right_square_bracket")
        first, second, *_ = np.flatnonzero(debugger.step.different)
        assert debugger.element == second
        await pilot.press("left_square_bracket")
        assert debugger.element == first
        await pilot.press("r")
        assert debugger.step.name == "dequant:dequantize.dequantize"
        await pilot.press("C")
        assert debugger.step.name == "fc1:linear.clamp"
        await pilot.press("R")
        assert debugger.stop.mark.step == 0
        await pilot.press("right_curly_bracket")
        assert debugger.step.name == "fc1:linear.clamp"
        await pilot.press("f")
        assert debugger.step.name == "relu:relu.relu"
        await pilot.press("left_curly_bracket")
        assert debugger.step.name == "fc1:linear.clamp"
        await pilot.press("F")
        assert debugger.step.name == "quant:quantize.clamp"


async def test_saturations_are_found_in_both_directions(stage):
    async with stage(size=(80, 24)) as pilot:
        debugger = await opened(pilot, "greater_than_sign", "greater_than_sign")
        first, second, *_ = np.flatnonzero(debugger.step.cut)
        assert (debugger.step.name, debugger.element) == ("fc1:linear.mac", second)
        await pilot.press("less_than_sign")
        assert debugger.element == first


async def test_the_element_moves_by_rows_pages_and_to_the_ends(stage):
    async with stage() as pilot:
        app = pilot.app
        debugger = await opened(pilot, "f", "f", "j", "down", "k")
        assert debugger.element == 1
        await pilot.press("G")
        assert debugger.element == 15
        await pilot.press("up", "home")
        assert debugger.element == 0
        await pilot.press("ctrl+d")
        assert debugger.element == app.screen.page()
        await pilot.press("ctrl+u")
        assert debugger.element == 0
        await pilot.press("k")
        assert debugger.element == 0


async def test_go_asks_for_a_place_and_refuses_a_wrong_one_in_words():
    app = app_on()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        debugger = await opened(pilot, "colon")
        assert isinstance(app.screen, Ask)
        await pilot.press(*"fc2.mac", "left_square_bracket", "2", "right_square_bracket", "enter")
        assert (debugger.step.name, debugger.element) == ("fc2:linear.mac", 2)
        await pilot.press("colon", *"fc9", "enter")
        await pilot.pause()
        assert "there is no place 'fc9'" in screen_text(app)
        await pilot.press("colon", "escape")
        assert debugger.step.name == "fc2:linear.mac"


async def test_marks_are_set_and_found_by_letter(stage):
    async with stage(size=(80, 24)) as pilot:
        app = pilot.app
        debugger = await opened(pilot, "n", "m")
        assert isinstance(app.screen, AskLetter)
        await pilot.press("x")
        await pilot.press("r", "apostrophe", "x")
        assert debugger.stop.mark.step == 1


async def test_the_arithmetic_is_chosen_from_the_table_of_differences(stage):
    async with stage() as pilot:
        app = pilot.app
        debugger = await opened(pilot, "a")
        text = screen_text(app)
        assert "textbook" in text
        assert f"≠ {Debugger(debugger.recording, 'textbook').trace.differences}" in text
        await pilot.press("j", "j", "j", "j", "j", "j", "enter")
        assert debugger.trace.arithmetic.name == "textbook"
        assert "of 42 values differ under textbook" in screen_text(app)


async def test_the_feed_changes_what_the_later_layers_get(stage):
    async with stage(arithmetic="textbook") as pilot:
        app = pilot.app
        debugger = await opened(pilot, "i")
        assert debugger.trace.feed == "simulated"
        assert "simulated values fed on" in screen_text(app)
        await pilot.press("i")
        assert debugger.trace.feed == "captured"


async def test_screens_open_and_close(stage):
    async with stage() as pilot:
        app = pilot.app
        await opened(pilot, "s")
        assert isinstance(app.screen, ElementScreen)
        await pilot.press("o", "L")
        assert isinstance(app.screen, LayersScreen)
        assert "16 channels" in screen_text(app)
        await pilot.press("escape", "question_mark")
        assert isinstance(app.screen, Help)
        await pilot.press("q")
        assert isinstance(app.screen, MainScreen)


async def test_the_list_of_layers_keeps_its_numbers_on_a_narrow_screen_and_moves_nothing(stage):
    async with stage(size=(80, 24)) as pilot:
        app = pilot.app
        debugger = await opened(pilot, "f", "L")
        before = debugger.stop
        text = screen_text(app)
        assert "zero point" in text
        assert "weight scales" in text
        assert "128" in text
        await pilot.press("n", "j", "G", "enter", "c")
        assert debugger.stop == before
        assert isinstance(app.screen, LayersScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, MainScreen)


def first_pair(debugger, channel):
    return terms(debugger.step, channel).saturating[0].products[0].k


async def test_the_drill_down_opens_at_the_first_saturating_pair(stage):
    async with stage(recording(inputs=400), size=(80, 24)) as pilot:
        app = pilot.app
        debugger = await opened(pilot, "f", "f")
        last = max(range(16), key=lambda c: first_pair(debugger, c))
        assert first_pair(debugger, last) > 20
        await pilot.press(*"j" * last, "s")
        await pilot.pause()
        found = terms(debugger.step, debugger.element)
        assert str(found.saturating[0].total) in screen_text(app)
        assert f"{found.excess} of the sum is lost" in screen_text(app)


async def test_a_narrow_screen_says_that_simulated_values_are_fed_on(stage):
    async with stage(size=(80, 24)) as pilot:
        app = pilot.app
        await opened(pilot, "i", "n")
        assert "· feeding fbgemm-avx2" in screen_text(app)


async def test_saving_where_values_differ_says_what_a_replay_will_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app, said = app_on(arithmetic="textbook"), []
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        monkeypatch.setattr(app, "notify", lambda text, **_: said.append(text))
        await pilot.press("ctrl+s")
        assert f"will report {app.debugger.trace.differences} differences" in said[0]


async def test_the_explanation_can_be_hidden(stage):
    async with stage() as pilot:
        app = pilot.app
        await opened(pilot, "e")
        assert not app.screen.query_one("#formula").display
        await pilot.press("e")
        assert app.screen.query_one("#formula").display


async def test_the_palette_finds_a_command_by_its_words(stage):
    async with stage() as pilot:
        debugger = await opened(pilot, "ctrl+p")
        await pilot.press(*"end of the model")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert debugger.stop.mark.step == len(debugger.trace) - 1


async def test_a_picture_is_saved_as_svg(stage, tmp_path):
    async with stage() as pilot:
        await opened(pilot, "P")
        (picture,) = tmp_path.glob("*.svg")
        assert "captured" in picture.read_text(encoding="utf-8")


async def test_a_click_selects_an_element_and_a_step(stage):
    async with stage() as pilot:
        debugger = await opened(pilot, "f", "f")
        await pilot.click("#table", offset=(10, 6))
        assert debugger.element == 4
        await pilot.click("#rail", offset=(8, 2))
        assert debugger.stop.mark.step == 0


async def test_quitting_gives_exit_status_0():
    app = app_on()
    async with app.run_test() as pilot:
        await opened(pilot, "q")
    assert app.return_value == 0


async def test_every_key_of_the_table_gives_its_command():
    app = app_on()
    given = []
    textuals_own = {"ctrl+p", "ctrl+q"}  # bound to the same commands by Textual itself
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        app.give = lambda name, argument="": given.append(name)
        for command in COMMANDS:
            for key in set(command.keys) - textuals_own:
                given.clear()
                await pilot.press(key)
                assert given == [command.id], key


async def test_a_session_is_saved_and_opened_again(tmp_path):
    app = app_on()
    async with app.run_test() as pilot:
        debugger = await opened(pilot, "n", "n")
        app.session_path = None
        await pilot.press("ctrl+s")
        (saved,) = (tmp_path / "sessions").glob("*.qdbg")
        assert load(saved).debugger().stop == debugger.stop
        await pilot.press("n", "ctrl+s")
        assert [saved] == list((tmp_path / "sessions").glob("*.qdbg"))
        await pilot.press("r", "S", "enter")
        await ready(pilot)
        assert app.debugger is not debugger
        assert app.debugger.stop.mark.step == 3


async def test_a_damaged_session_is_refused_and_nothing_is_lost(tmp_path):
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "broken.qdbg").write_bytes(b"no session")
    app = app_on()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        debugger = await opened(pilot, "n", "S", "enter")
        await pilot.pause()
        assert app.debugger is debugger
        assert "broken.qdbg" in screen_text(app)


async def test_the_last_line_shows_whole_keys_only_and_a_click_on_one_gives_its_command(stage):
    async with stage() as pilot:
        app = pilot.app
        debugger = await opened(pilot)
        line = screen_text(app).splitlines()[-1]
        await pilot.click(KeyLine, offset=(line.index("n next") + 3, 0))
        assert debugger.stop.mark.step == 1
        for width in range(60, 121, 7):
            await pilot.resize_terminal(width, 30)
            shown = screen_text(app).splitlines()[-1].split()
            assert shown[-1] in {word for c in COMMANDS for word in c.label.split()[-1:]}


@pytest.mark.parametrize("keys", ["colon", "ctrl+p", "a"])
async def test_a_window_that_is_answered_twice_closes_once(stage, keys):
    """Keys that were typed ahead come before it is gone."""
    async with stage(size=(80, 24)) as pilot:
        app = pilot.app
        await opened(pilot)
        below = list(app.screen_stack)
        await pilot.press(keys)
        await pilot.pause()
        window = app.screen
        window.dismiss(None)
        window.dismiss(None)
        await pilot.pause()
        assert app.screen_stack == below


async def test_a_key_before_the_screen_is_composed_is_carried_out(stage):
    async with stage(size=(80, 24)) as pilot:
        app = pilot.app
        debugger = await opened(pilot)
        app.push_screen(MainScreen())
        app.give("next")
        await pilot.pause()
        assert debugger.stop.mark.step == 1
        assert app.screen.query("#title")


async def test_a_part_that_is_gone_while_the_app_is_left_is_no_error():
    app = app_on()
    async with app.run_test() as pilot:
        await opened(pilot)
        app.leaving = True
        app._handle_exception(NoMatches("#taken-away"))
        assert app.return_code is None


async def test_a_window_below_another_one_is_not_answered(stage):
    async with stage(size=(80, 24)) as pilot:
        app = pilot.app
        await opened(pilot, "colon")
        below = app.screen
        app.give("arithmetic")
        await pilot.pause()
        stack = list(app.screen_stack)
        below.dismiss("fc1")
        await pilot.pause()
        assert app.screen_stack == stack
