"""Leaving and coming back: the start screen, going on, and what is kept on quitting."""

import os
import signal
from pathlib import Path

import pytest

from qdbg import recent
from qdbg.app.app import QdbgApp
from qdbg.app.home import HomeScreen
from qdbg.app.main import MainScreen
from qdbg.app.opening import OpeningScreen
from qdbg.app.plan import Plan, plan_of_words
from qdbg.debugger import Debugger
from qdbg.examples import EXAMPLES, MYSTERY, examples
from qdbg.recent import recents
from qdbg.session import Session, State, load
from tests.app.conftest import ready, screen_text
from tests.app.test_opening import until
from tests.synthetic import recording

SIZES = [(120, 40), (80, 24), (60, 16)]
ROOT = Path(__file__).parents[2]
RUN = "/models/iris_qat.pth --sample versicolor"


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def app_of_run(arithmetic="textbook"):
    """A model that has just run: the same recording each time."""
    session = Session.of(Debugger(recording(), arithmetic))
    return QdbgApp(Plan("iris_qat.pth", lambda: session, None, None, None, run=RUN))


@pytest.mark.parametrize("size", SIZES)
async def test_without_arguments_the_tour_and_the_examples_are_offered(size):
    app = QdbgApp(None)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "mystery.qdbg" in screen_text(app)
        assert "quit" in screen_text(app).splitlines()[-1]
        await pilot.press("enter")
        await ready(pilot)
        assert app.debugger.trace.arithmetic.name == "textbook"


async def test_every_line_of_the_start_screen_is_reached_and_written_out_below():
    app = QdbgApp(None)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for example in examples():
            await pilot.press("j")  # the first line is the tour
            assert example.title in " ".join(screen_text(app).split())
        await pilot.press("G", "k", "g", "pagedown", "pageup", "n", "c")
        assert isinstance(app.screen, HomeScreen)


def test_the_shipped_sessions_are_the_repositorys_and_open():
    for example in EXAMPLES[:3]:
        assert example.file.read_bytes() == (ROOT / "sessions" / example.file.name).read_bytes()
    assert load(MYSTERY).debugger().trace.differences is not None


async def test_quitting_keeps_the_session_and_the_next_start_offers_to_go_on():
    app = app_of_run()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        assert "ctrl+r" not in screen_text(app)
        await pilot.press("c", "m", "x", "n", "b", "q")
    before = app.debugger
    app = app_of_run()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        assert (
            f"go on where you were: {before.step.name}[{before.element}] under textbook"
            in screen_text(app)
        )
        await pilot.press("ctrl+r")
        await until(pilot, f"breakpoint 2 set at {before.step.name}")
        assert app.debugger.stop == before.stop
        now, then = State.of(app.debugger), State.of(before)
        assert (now.marks, now.breakpoints) == (then.marks, then.breakpoints)
        assert "relu:relu.relu" in str(now.breakpoints)
        await pilot.press("q")
    assert len(recents()) == 1


async def test_the_offer_goes_with_the_first_move_and_what_it_offered_stays():
    for keys in ("c", "n"):
        app = app_of_run()
        async with app.run_test(size=(120, 40)) as pilot:
            await ready(pilot)
            await pilot.press(keys)
            await pilot.pause()
            assert "ctrl+r" not in screen_text(app)
            await pilot.press("q")
    assert [entry.place for entry in recents()] == [
        "quant:quantize.round[0]",
        "fc1:linear.clamp[2]",
    ]


async def test_a_recent_session_is_opened_from_the_start_screen():
    app = app_of_run()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("c", "H")
        assert isinstance(app.screen, HomeScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, MainScreen)
        await pilot.press("q")
    app = QdbgApp(None)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "fc1:linear.clamp[2] under textbook" in screen_text(app)
        await pilot.press("enter")
        await ready(pilot)
        assert app.debugger.step.name == "fc1:linear.clamp"
        await pilot.press("n", "q")
    assert [entry.place for entry in recents()] == ["relu:relu.relu[2]"]


async def test_looking_without_doing_anything_overwrites_nothing():
    for keys in ("c", ""):
        app = app_of_run()
        async with app.run_test() as pilot:
            await ready(pilot)
            await pilot.press(*keys, "q")
    (entry,) = recents()
    assert entry.place == "fc1:linear.clamp[2]"


async def test_where_nothing_can_be_kept_quitting_says_so_once_and_ctrl_s_still_saves(
    tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    app, said = app_of_run(), []
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        app.notify = lambda text, **_: said.append(text)
        await pilot.press("c", "q")
        assert app.is_running
        assert "cannot be written" in said[0]
        await pilot.press("ctrl+s")
        assert load(tmp_path / "sessions" / "versicolor.qdbg").state.stop == "fc1:linear.clamp"
        await pilot.press("q")
    assert app.return_value == 0


async def test_a_closed_terminal_keeps_the_session_too():
    app = app_of_run()
    async with app.run_test() as pilot:
        await ready(pilot)
        await pilot.press("c")
        os.kill(os.getpid(), signal.SIGHUP)
        await pilot.pause()
    assert [entry.place for entry in recents()] == ["fc1:linear.clamp[2]"]


async def test_after_a_mistake_of_qdbgs_own_the_session_is_kept():
    app = app_of_run()
    async with app.run_test() as pilot:
        await ready(pilot)
        await pilot.press("c")
        app.exit(return_code=1)
    assert "kept" in app.rescue()
    assert [entry.place for entry in recents()] == ["fc1:linear.clamp[2]"]


async def test_a_damaged_recent_session_is_refused_on_a_screen_that_leads_on():
    app = app_of_run()
    async with app.run_test() as pilot:
        await ready(pilot)
        await pilot.press("c", "q")
    recent.recents()[0].path.write_bytes(b"no session")
    app = QdbgApp(None)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, "a session that qdbg saved")
        assert isinstance(app.screen, OpeningScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen)
        await pilot.press("q")
    assert app.return_value == 0


async def test_a_missing_file_is_a_screen_and_trying_again_finds_it(tmp_path):
    path = tmp_path / "later.qdbg"
    app = QdbgApp(plan_of_words([str(path)]))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, f"there is no file {path}")
        assert "H start screen" in screen_text(app)
        await pilot.press("escape", "n")
        path.write_bytes(MYSTERY.read_bytes())
        await pilot.press("ctrl+r")
        await ready(pilot)
        assert app.problem == ""
