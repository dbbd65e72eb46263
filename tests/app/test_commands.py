"""Each key of the command table does what its row says."""

import numpy as np
from textual.css.query import NoMatches

from qdbg.app.dialogs import Help
from qdbg.app.element import ElementScreen
from qdbg.app.keyline import KeyLine
from qdbg.app.layers import LayersScreen
from qdbg.app.main import MainScreen
from qdbg.commands import COMMANDS
from qdbg.engine.terms import terms
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


async def test_the_explanation_can_be_hidden(stage):
    async with stage() as pilot:
        app = pilot.app
        await opened(pilot, "e")
        assert not app.screen.query_one("#formula").display
        await pilot.press("e")
        assert app.screen.query_one("#formula").display


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
