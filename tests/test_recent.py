"""What was open before is remembered: bounded, and never at the price of a crash."""

import json
import os

import pytest

from qdbg import recent
from qdbg.debugger import Debugger
from qdbg.errors import SessionError
from qdbg.recent import folder, keep, latest, recents, touch
from qdbg.session import Session, State, load
from tests.synthetic import recording

RUN = "/models/iris_qat.pth --sample versicolor"


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def left(*commands, run=RUN, name=""):
    debugger = Debugger(recording(), "textbook")
    for command in commands:
        debugger.execute(command)
    return keep(Session.of(debugger), run, name)


def test_the_latest_session_of_a_run_is_found_with_its_place():
    left("next")
    second = left("continue", "mark a", "break fc2.mac")
    left("end", run="/models/other.pth")
    assert latest(RUN) == second
    assert second.place == "fc1:linear.clamp[2]"
    debugger = load(second.path).debugger()
    assert "fc2.mac" in str(State.of(debugger).breakpoints)
    assert debugger.marks == {"a": ("fc1:linear.clamp", 2)}


def test_a_session_that_is_gone_on_with_replaces_itself():
    first = left("next")
    again = left("next", "next", name=first.name)
    assert [entry.name for entry in recents()] == [first.name] == [again.name]


def test_looking_at_one_again_makes_it_the_latest():
    first, second = left("next"), left("continue")
    assert recents()[0] == second
    touch(first)
    assert recents()[0].name == first.name


def test_only_so_many_are_kept_the_oldest_go(monkeypatch):
    monkeypatch.setattr(recent, "MOST", 3)
    made = [left("next") for _ in range(3)]
    for age, entry in enumerate(made):
        os.utime(entry.path, (age, age))
    newest = left("next")
    assert {entry.name for entry in recents()} == {newest.name, made[1].name, made[2].name}
    assert len(list(folder().iterdir())) == 6


def test_a_large_one_is_kept_and_the_others_make_room(monkeypatch):
    left("next")
    monkeypatch.setattr(recent, "MOST_BYTES", 10)
    large = left("continue")
    assert [entry.name for entry in recents()] == [large.name]


DAMAGE = [
    *(b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"run": 1}', b"[" * 3000),
    *(json.dumps({"saved": bad}).encode() for bad in (None, "now", True)),
    *(b'{"saved": NaN}', b'{"saved": 1e300}', b'{"saved": -5}', b'{"run": "a\\u001b[2J"}'),
    b'{"unknown": 1}',
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_line_is_left_out_and_the_others_stay(damage):
    good, bad = left("next"), left("continue")
    note = bad.path.with_suffix(".json")
    words = json.loads(note.read_text())
    try:
        changed = json.loads(damage)
    except (ValueError, RecursionError):
        changed = None
    whole = isinstance(changed, dict) and changed
    note.write_text(json.dumps(words | changed)) if whole else note.write_bytes(damage)
    assert recents() == (good,)


def test_a_line_whose_session_is_gone_is_not_offered():
    left("next").path.unlink()
    assert recents() == ()


def test_a_folder_that_cannot_be_written_is_told_and_the_file_before_stays(state, monkeypatch):
    first = left("next")
    before = first.path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("qdbg.core.replacing.os.fsync", full)
    with pytest.raises(SessionError, match="No space left on device"):
        left("continue", name=first.name)
    assert first.path.read_bytes() == before
    assert [path.name for path in folder().glob(".*")] == []


def test_where_the_state_folder_is_a_file_nothing_is_remembered_and_nothing_breaks(state):
    (state / "qdbg").write_text("no folder")
    assert recents() == ()
    with pytest.raises(SessionError, match="cannot be written"):
        left("next")
