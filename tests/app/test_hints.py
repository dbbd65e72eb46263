"""The line that tells a newcomer which keys to begin with."""

import pytest

from qdbg import newcomer
from qdbg.newcomer import is_newcomer
from tests.app.conftest import app_on, ready, screen_text

FIRST = "n next stage  ] next difference"


@pytest.fixture
def new(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody was here"))


async def test_a_newcomer_reads_the_first_keys_until_three_moves_and_never_again(new):
    for first in (True, False):
        app = app_on()
        async with app.run_test(size=(80, 24)) as pilot:
            await ready(pilot)
            assert (" ".join(FIRST.split()) in " ".join(screen_text(app).split())) is first
            assert is_newcomer() is first
            await pilot.press("n", "j")
            assert ("begin with" in screen_text(app)) is first
            await pilot.press("n")
            await pilot.pause()
            assert "begin with" not in screen_text(app)
            await pilot.press("q")


async def test_where_the_state_folder_cannot_be_written_the_line_goes_all_the_same(
    new, tmp_path, monkeypatch
):
    (tmp_path / "a file").write_text("")
    monkeypatch.setattr(newcomer, "_mark", lambda: tmp_path / "a file" / "moved")
    app = app_on()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("n", "n", "n")
        await pilot.pause()
        assert "begin with" not in screen_text(app)
