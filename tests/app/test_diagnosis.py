"""`d` says why, with proof, and the cause can be adopted."""

from dataclasses import replace

import pytest

from qdbg.app.diagnosis import DiagnosisScreen
from qdbg.app.proofs import headline, question
from qdbg.debugger import Debugger
from qdbg.engine.diagnose import diagnose
from qdbg.engine.table import Table
from tests.app.conftest import app_on, ready, region_text, screen_text
from tests.app.idle import until
from tests.synthetic import recording

SIZES = [(120, 40), (80, 24), (60, 16), (200, 60)]


async def diagnosed(pilot):
    await pilot.press("d")

    def proved():
        screen = pilot.app.screen
        return screen if isinstance(screen, DiagnosisScreen) and screen.proved else None

    return await until(pilot, proved)


@pytest.mark.parametrize("size", SIZES)
async def test_the_panel_names_the_cause_what_it_leaves_and_the_proof(stage, size):
    async with stage(arithmetic="textbook", size=size) as pilot:
        app = pilot.app
        await diagnosed(pilot)
        text = screen_text(app)
        assert "Explained: pair-saturation" in text
        assert "pair-saturation=fbgemm-avx2" in text
        assert "0 of 16" in text
        assert "esc leave" in text
        assert max(len(line) for line in text.splitlines()) <= size[0]


async def test_the_proof_names_the_element_as_the_table_does(stage):
    async with stage(arithmetic="textbook") as pilot:
        screen = await diagnosed(pilot)
        (held,) = screen._evidence[screen.rows[0].names]
        name = Table(screen.trace.result_step(screen.call)).name_of(held.element)
        assert f"{name} is " in screen_text(pilot.app)


async def test_enter_adopts_the_cause_and_nothing_differs_any_more(stage):
    async with stage(arithmetic="textbook") as pilot:
        app = pilot.app
        await diagnosed(pilot)
        await pilot.press("enter")
        assert app.debugger.arithmetic == "textbook+pair-saturation=fbgemm-avx2"
        assert app.debugger.trace.differences == 0
        words = "all 42 values equal PyTorch's under textbook+pair-saturation"
        await until(pilot, lambda: words in screen_text(app))


async def test_another_row_shows_its_own_proof(stage):
    async with stage(arithmetic="textbook") as pilot:
        app = pilot.app
        screen = await diagnosed(pilot)
        other = next(i for i, v in enumerate(screen.rows) if v.ids == ("clamp",))
        await pilot.press(*["down"] * other)
        assert "the result is not clamped" in screen_text(app)
        await pilot.press("escape")
        assert app.debugger.arithmetic == "textbook"


async def test_where_nothing_differs_it_says_so():
    app = app_on()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("d")
        await pilot.pause()
        assert "nothing differs under fbgemm-avx2" in screen_text(app)


async def test_opening_what_another_release_ran_says_so_also_under_the_textbook():
    made = recording()
    made = replace(made, environment=replace(made.environment, torch="2.9.1"))
    app = app_on(made, "textbook")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await ready(pilot)
        assert "PyTorch 2.9.1 ran it" in screen_text(app)


async def test_where_nothing_could_be_compared_nothing_is_said_to_be_equal():
    made = recording()
    made = replace(made, environment=replace(made.environment, torch="2.9.1"))
    app = app_on(made)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("d")
        await pilot.pause()
        text = screen_text(app)
        assert "nothing can be compared under fbgemm-avx2" in text
        assert "nothing differs" not in text


async def test_the_question_mark_explains_the_panel_and_a_list_where_they_are(stage):
    async with stage(arithmetic="textbook") as pilot:
        app = pilot.app
        await diagnosed(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        text = " ".join(region_text(app, "#keys").split())
        assert "Here: assumptions of the simulated arithmetic" in text
        assert "J scroll the proof" in text
        await pilot.press("escape")
        assert isinstance(app.screen, DiagnosisScreen)
        await pilot.press("escape", "a", "f1")
        await pilot.pause()
        assert "⏎ s take this row" in " ".join(region_text(app, "#keys").split())
        await pilot.press("escape", "escape")


@pytest.mark.parametrize(("call", "words"), [(4, "PyTorch's numbers"), (2, "PyTorch's integers")])
def test_float32_results_are_not_called_integers(call, words):
    made = recording()
    values = list(made.values)
    values[call] = values[call] + values[call].dtype.type(1)
    trace = Debugger(replace(made, values=tuple(values))).trace
    asked = question(trace, call)
    assert words in headline(diagnose(trace, call, asked.target), asked).plain
