"""The app on a synthetic recording, in terminals of several sizes, without PyTorch."""

from pathlib import Path

import pytest
import pytest_asyncio

from qdbg.app.app import QdbgApp
from qdbg.app.plan import Plan
from qdbg.debugger import Debugger
from qdbg.newcomer import remember_moves
from qdbg.session import Session, load
from tests.app.idle import Patient, at_once
from tests.app.snapshot import screen_text
from tests.app.stage import Stage, counted
from tests.app.terminal import SESSIONS
from tests.synthetic import recording


def app_on(made=None, arithmetic="auto"):
    """The app as it opens a saved session of the recording."""
    session = Session.of(Debugger(made if made is not None else recording(), arithmetic))
    return QdbgApp(Plan("iris_qat.qdbg", lambda: session, Path("iris_qat.qdbg"), None, None))


def app_on_file(name, arithmetic=None, *, ascii=False):
    """The app on a committed session, which needs no PyTorch either."""
    path = SESSIONS / name
    return QdbgApp(Plan(name, lambda: load(path), path, arithmetic, None), ascii=ascii)


ready = counted


def region_text(app, selector):
    """What the terminal shows within a widget's frame, its wrapped lines joined."""
    region = app.screen.query_one(selector).content_region
    lines = screen_text(app).splitlines()[region.y : region.bottom]
    return " ".join(line.ljust(region.right)[region.x : region.right].rstrip() for line in lines)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    """Nothing was kept before; but the user has moved in qdbg, so that no hint is shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    remember_moves()


@pytest.fixture(autouse=True, scope="session")
def patient_pilots():
    """Every test sees the app once it has done what the test made it do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textual.pilot.Pilot", Patient)
        patch.setattr("textual.pilot.wait_for_idle", at_once)
        patch.setattr("textual.app.wait_for_idle", at_once)
        yield


@pytest_asyncio.fixture(scope="module")
async def stage():
    """`async with stage(recording, arithmetic, size=…) as pilot`: an app that shows it."""
    made = Stage()
    yield made
    await made.close()
