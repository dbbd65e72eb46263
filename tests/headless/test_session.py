"""A session comes back as it was saved, and a save never leaves half a file."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qdbg import saving
from qdbg.core.program import Program
from qdbg.errors import CommandError, SessionError
from qdbg.headless import opening
from qdbg.saving import default_path
from qdbg.session import Session, State, load, save
from tests.headless.conftest import COMMANDS, ROOT, explored
from tests.synthetic import recording


def test_a_loaded_session_leads_to_the_same_state(session_file, debugger):
    again = load(session_file).debugger()
    assert State.of(again) == State.of(debugger)
    assert again.history == debugger.history
    assert again.initial_arithmetic == "textbook"


def test_everything_recorded_comes_back_bit_for_bit(session_file, debugger):
    before, after = debugger.recording, load(session_file).recording
    assert (after.model, after.sha256, after.sample) == (before.model, before.sha256, before.sample)
    assert after.environment == before.environment
    assert after.input.tobytes() == before.input.tobytes()
    pairs = zip(before.values, after.values, strict=True)
    assert all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)


def test_saving_what_was_loaded_gives_the_same_bytes(session_file, tmp_path):
    other = tmp_path / "again.qdbg"
    save(Session.of(load(session_file).debugger()), other)
    assert other.read_bytes() == session_file.read_bytes()


def test_only_the_layers_that_the_calls_use_are_kept(debugger):
    unused = replace(debugger.recording.program.layers["fc1"], path="spare")
    layers = dict(debugger.recording.program.layers) | {"spare": unused}
    program = Program(debugger.recording.program.nodes, layers)
    kept = Session.of(explored(replace(debugger.recording, program=program))).recording
    assert set(kept.program.layers) == {"quant", "fc1", "relu", "fc2", "dequant"}


def test_only_the_last_of_several_selections_is_saved():
    saved = Session.of(explored(commands=("go fc1.mac", "element 1", "element 2", "element 3")))
    assert [done.command for done in saved.history] == ["go fc1.mac", "element 3"]


def test_selections_that_an_undo_went_back_to_are_saved(tmp_path):
    commands = ("go fc1.mac", "element 1", "element 2", "element 3", "undo", "undo", "element 5")
    debugger = explored(commands=(*commands, "element 6"))
    saved = Session.of(debugger)
    assert [done.command for done in saved.history] == [*commands[:-1], "element 6"]
    save(saved, tmp_path / "s.qdbg")
    assert State.of(load(tmp_path / "s.qdbg").debugger()) == State.of(debugger)


def test_a_run_of_element_selections_replays(tmp_path):
    commands = ("go fc1.mac", "element 3", "element 9", "next", "back", "element 2", "continue")
    debugger = explored(commands=commands)
    save(Session.of(debugger), tmp_path / "s.qdbg")
    again = load(tmp_path / "s.qdbg").debugger()
    assert State.of(again) == State.of(debugger)


def test_commands_that_no_longer_run_are_left_out_when_a_session_is_opened(edit):
    def from_the_future(tensors, metadata):
        metadata["session"]["commands"][1]["command"] = "teleport fc9"

    loaded = load(edit(from_the_future))
    assert len(loaded.history) == len(COMMANDS)
    assert len(loaded.debugger().history) == len(COMMANDS) - 1


# ------------------------------------------------------------------------------ the name


@pytest.mark.parametrize(
    ("sample", "name"),
    [
        ("versicolor", "versicolor"),
        ("iris:57", "iris-57"),
        ("--input data/my row.npy", "my-row"),
        ("--input rows.npz:first", "rows-npz-first"),
        ("--input 5.3 3.7 1.5 0.2", "iris_qat"),
        ("--input ../../etc/x.csv", "x"),
        ("///", "session"),
    ],
)
def test_a_session_is_named_after_its_input(sample, name, tmp_path):
    path = default_path(replace(recording(), sample=sample), tmp_path)
    assert path.parent == tmp_path
    assert path.stem.startswith(name.split("-npz")[0])


def test_another_session_is_never_overwritten(tmp_path):
    names = []
    for _ in range(3):
        path = default_path(recording(), tmp_path)
        path.write_bytes(b"somebody's")
        names.append(path.name)
    assert names == ["versicolor.qdbg", "versicolor-2.qdbg", "versicolor-3.qdbg"]


def test_sessions_are_saved_below_the_working_directory():
    assert default_path(recording()).parts[0] == "sessions"


def test_the_command_line_and_the_files_agree_on_the_suffix():
    assert opening.SUFFIX == saving.SUFFIX


# ---------------------------------------------------------------------------- kill and disk

ENDLESS = """
import sys
from pathlib import Path
from qdbg.session import Session, load, save
from qdbg.debugger import Debugger
path = Path(sys.argv[1])
old = load(path)
debugger = old.debugger()
sessions = [Session.of(debugger)]
for _ in range(40):
    debugger.execute("back"), debugger.execute("next")
sessions.append(Session.of(debugger))
print("ready", flush=True)
while True:
    for one in sessions:
        save(one, path)
"""


@pytest.mark.parametrize("attempt", range(6))
def test_a_kill_leaves_the_old_file_or_the_new_one(session_file, attempt):
    child = subprocess.Popen(  # noqa: S603 - this Python, on what the test wrote
        [sys.executable, "-c", ENDLESS, session_file], stdout=subprocess.PIPE, cwd=ROOT
    )
    with child:
        assert child.stdout.readline() == b"ready\n"
        time.sleep(0.003 + 0.017 * attempt)
        child.send_signal(signal.SIGKILL)
    found = load(session_file)
    assert len(found.history) in {len(COMMANDS), len(COMMANDS) + 80}


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_file_and_says_so(session_file, step, monkeypatch):
    before = session_file.read_bytes()

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    owner = os if step == "fsync" else Path
    monkeypatch.setattr(owner, step, fail)
    with pytest.raises(SessionError, match="cannot be written: No space left on device"):
        save(Session.of(explored(commands=("end",))), session_file)
    assert session_file.read_bytes() == before
    assert [path.name for path in session_file.parent.iterdir()] == [session_file.name]


# --------------------------------------------------------------------------- foreign content


def lists(tensors, metadata):
    metadata["session"] = []


def no_session(tensors, metadata):
    del metadata["session"]


def unknown_feed(tensors, metadata):
    metadata["session"]["feed"] = "cat"


def unknown_arithmetic(tensors, metadata):
    metadata["session"]["arithmetic"] = "abacus"


def too_many_commands(tensors, metadata):
    metadata["session"]["commands"] *= 10_001


def a_number_as_command(tensors, metadata):
    metadata["session"]["commands"][0]["command"] = 7


def an_endless_command(tensors, metadata):
    metadata["session"]["commands"][0]["command"] = "x" * 5000


def an_escape_sequence(tensors, metadata):
    metadata["session"]["commands"][0]["command"] = "next\x1b[2J"


def a_negative_element(tensors, metadata):
    metadata["session"]["commands"][0]["element"] = -1


def true_as_element(tensors, metadata):
    metadata["session"]["state"]["element"] = True


def a_state_of_another_form(tensors, metadata):
    metadata["session"]["state"]["more"] = 1


def marks_of_another_form(tensors, metadata):
    metadata["session"]["state"]["marks"] = {"a": "here"}


def breakpoints_of_another_form(tensors, metadata):
    metadata["session"]["state"]["breakpoints"] = "difference"


def hits_of_another_form(tensors, metadata):
    metadata["session"]["state"]["breakpoints"][0]["hits"] = -1


def watches_of_another_form(tensors, metadata):
    metadata["session"]["state"]["watches"] = ["two\nlines"]


def a_later_format(tensors, metadata):
    metadata["session"]["format"] = 3


def no_calls(tensors, metadata):
    metadata["nodes"] = []


def weights_for_other_inputs(tensors, metadata):
    tensors["weight/fc1"] = np.ascontiguousarray(tensors["weight/fc1"][:, :3])


FOREIGN = [
    value
    for name, value in list(globals().items())
    if callable(value) and getattr(value, "__code__", None)
    and value.__code__.co_varnames[:2] == ("tensors", "metadata")
]  # fmt: skip


@pytest.mark.parametrize("change", FOREIGN, ids=lambda change: change.__name__)
def test_content_that_qdbg_did_not_write_is_refused(change, edit):
    path = edit(change)
    try:
        load(path).debugger()
    except SessionError as error:
        assert error.found
    else:
        # a call that cannot be simulated is a fact of the recording, named by replay
        assert change is weights_for_other_inputs


def test_a_debugger_command_fails_as_before(debugger):
    with pytest.raises(CommandError):
        debugger.execute("teleport")
