"""What is saved to the disk: sessions and pictures."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from qdbg.app.home import home_lines
from qdbg.session import load
from tests.app.conftest import app_on, ready, screen_text
from tests.app.idle import until
from tests.app.test_commands import opened
from tests.full_disk import full_disk


async def test_saving_where_values_differ_says_what_a_replay_will_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app, said = app_on(arithmetic="textbook"), []
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        monkeypatch.setattr(app, "notify", lambda text, **_: said.append(text))
        await pilot.press("ctrl+s")
        assert f"will report {app.debugger.trace.differences} differences" in said[0]


async def test_saving_says_that_it_made_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app, said = app_on(), []
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        app.session_path = None
        monkeypatch.setattr(app, "notify", lambda text, **_: said.append(text))
        await pilot.press("ctrl+s")
        assert said[0].endswith(".qdbg (made the folder sessions)")


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
        await until(pilot, lambda: app.debugger is not debugger)
        await ready(pilot)
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


async def test_a_picture_is_saved_as_svg(stage, tmp_path):
    async with stage() as pilot:
        await opened(pilot, "P")
        (picture,) = tmp_path.glob("*.svg")
        assert "captured" in picture.read_text(encoding="utf-8")


@contextmanager
def folder_taken_away():
    """The working folder is removed by somebody else."""
    Path.cwd().rmdir()
    yield


WRITERS = {"picture": "P", "table": "y", "program": "Y"}


@pytest.mark.parametrize("disk", [full_disk, folder_taken_away])
@pytest.mark.parametrize("written", WRITERS)
async def test_what_cannot_be_written_is_said_and_the_app_goes_on(
    stage, tmp_path, monkeypatch, disk, written
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    async with stage() as pilot:
        app, said = pilot.app, []
        app.notify = lambda text, **_: said.append(text)
        with disk():
            await opened(pilot, WRITERS[written])
            if written != "picture":
                await pilot.press("j", "j", "j", "j", "enter")
                await pilot.pause()
        assert app.is_running
        assert "cannot be written" in said[0]
    assert list(tmp_path.glob("here/*")) == []


async def test_a_link_that_leads_nowhere_is_not_among_the_saved_sessions(stage, tmp_path):
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "gone.qdbg").symlink_to("nothing.qdbg")
    assert "gone.qdbg" not in [line.name for line in home_lines()]
    async with stage() as pilot:
        await opened(pilot, "S")
        assert "no saved session here" in screen_text(pilot.app)
