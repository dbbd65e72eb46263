"""The tour is replayed: its claims against the session's integers, its texts on the screens."""

import re

import numpy as np
import pytest

from qdbg.app.app import QdbgApp
from qdbg.app.diagnosis import DiagnosisScreen
from qdbg.app.element import ElementScreen
from qdbg.app.main import MainScreen
from qdbg.app.plan import plan_of_tour
from qdbg.app.touring import TourPanel
from qdbg.core.presets import ARITHMETICS
from qdbg.engine.diagnose import diagnose
from qdbg.tour import DIAGNOSIS, TOUR, Seen, commands_before, stands, tour_session
from tests.app import idle
from tests.app.conftest import app_on, ready, region_text
from tests.app.test_opening import until


def there(place):
    """The debugger as it is when the tour stands at a step."""
    debugger = tour_session().debugger()
    for command in commands_before(place):
        debugger.execute(command)
    return debugger


def diagnosis(debugger):
    call = debugger.step.call
    return diagnose(debugger.trace, call, debugger.recording.values[call])


@pytest.mark.parametrize("place", range(len(TOUR)))
def test_each_claim_of_the_tour_is_true_of_the_shipped_session(place):
    step, debugger = TOUR[place], there(place)
    found = diagnosis(debugger) if step.screen == DIAGNOSIS else None
    assert stands(step, Seen(debugger, step.screen, found))


def test_every_number_in_the_texts_is_a_fact_that_is_compared():
    for step in TOUR:
        bare = re.sub(r"\{\w+\}|int8|int16", "", step.text)
        assert not re.search(r"\d", bare), bare
        assert set(re.findall(r"\{(\w+)\}", step.text)) <= set(step.facts)


def test_the_numbers_of_the_saturating_pair_are_those_of_the_recording():
    """Computed here from the file's bytes, by the rule of vpmaddubsw."""
    session = tour_session()
    x = session.recording.values[0].astype(np.int64).ravel()
    w = session.recording.program.layers["fc1"].weight.q.astype(np.int64)[12]
    pairs = (x * w).reshape(-1, 2)
    facts = TOUR[3].facts
    assert pairs[1].tolist() == [facts["left"], facts["right"]]
    assert pairs[1].sum() == facts["total"] == facts["kept"] + facts["lost"]
    assert facts["kept"] == np.iinfo(np.int16).min


def test_the_engines_that_leave_nothing_add_in_saturating_pairs_too():
    found = diagnosis(there(5))
    for verdict in found.tried:
        if not verdict.left and len(verdict.names) == 1:
            name, _, variant = verdict.names[0].partition("=")
            assert name in {"pair-saturation", "other-engine"}
            level = "avx2" if variant.startswith("x86") else variant.partition("-")[2]
            assert level in {"avx2", "avx512"}
            assert variant in ARITHMETICS


async def until_step(pilot, place):
    """Wait until the tour tells this step."""

    def told():
        panels = pilot.app.screen.query(TourPanel)
        if panels and f"tour {place + 1} of" in str(panels.first().border_title):
            return panels.first()
        return None

    return await idle.until(pilot, told)


TALKED_ABOUT = {
    0: ("#title", "textbook"),
    1: ("#table", "Δ"),
    2: ("#table", "-20"),
    3: ("#terms", "-38656"),
    4: ("#stop", "8 of 16 differ"),
    5: ("#choices", "pair-saturation"),
    6: ("#survey", "all 42 values equal PyTorch's"),
}


@pytest.mark.parametrize(
    ("size", "keys"), [((120, 40), "own"), ((80, 24), "own"), ((97, 31), "space")]
)
async def test_the_tour_leads_to_the_cause_and_covers_nothing_that_it_talks_about(size, keys):
    app = QdbgApp(plan_of_tour())
    async with app.run_test(size=size) as pilot:
        for place, step in enumerate(TOUR):
            panel = await until_step(pilot, place)
            await pilot.pause()
            said = " ".join(region_text(app, "TourPanel").split())
            assert step.words.split() == said.partition("▶")[0].split()[-len(step.words.split()) :]
            selector, words = TALKED_ABOUT[place]
            assert words in region_text(app, selector)
            assert not app.screen.query_one(selector).region.overlaps(panel.region)
            await pilot.press((step.key if keys == "own" else "space") or "space")
        await pilot.pause()
        assert not app.screen.query(TourPanel)
        assert app.debugger.trace.differences == 0


async def test_who_goes_elsewhere_is_told_so_and_space_comes_back():
    app = QdbgApp(plan_of_tour())
    async with app.run_test(size=(80, 24)) as pilot:
        for place, step in enumerate(TOUR[:3]):
            await until_step(pilot, place)
            await pilot.press(step.key)
        await until_step(pilot, 3)
        for away in ("j", "r"):
            await pilot.press(away)
            await until(pilot, "You went another way")
            await pilot.press("space")
            await until(pilot, "▶ press o")
            assert isinstance(app.screen, ElementScreen)
            assert app.debugger.element == 12


async def test_the_tour_can_be_left_anywhere_and_stays_to_look_around():
    app = QdbgApp(plan_of_tour())
    async with app.run_test(size=(120, 40)) as pilot:
        for place, step in enumerate(TOUR[:5]):
            await until_step(pilot, place)
            await pilot.press(step.key)
        await until_step(pilot, 5)
        assert isinstance(app.screen, DiagnosisScreen)
        await pilot.press("T")
        await pilot.pause()
        assert not app.screen.query(TourPanel)
        await pilot.press("escape", "space", "q")
    assert app.return_value == 0


async def test_a_tour_from_ones_own_session_comes_back_to_it():
    app = app_on()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        own = app.debugger
        await pilot.press("n", "n", "T")
        await until_step(pilot, 0)
        assert app.debugger is not own
        await pilot.press("colon", "T", "escape")  # typed into a line, it is a letter
        assert app.screen.query(TourPanel)
        await pilot.press("T")
        await pilot.pause()
        assert app.debugger is own
        assert isinstance(app.screen, MainScreen)
        assert own.stop.mark.step == 2
