"""Replay says whether every integer and every stop is as it was, and names what is not."""

import json
import os
import xml.etree.ElementTree as ET

import pytest

from qdbg.errors import SessionError
from qdbg.headless.recapture import compare_recordings
from qdbg.headless.replay import most_severe, replay
from qdbg.headless.report import text
from qdbg.names import ENGINES
from qdbg.session import Session, load, save
from tests.full_disk import full_disk
from tests.headless.conftest import COMMANDS, explored
from tests.synthetic import recording, with_unknown_op


def test_an_unchanged_session_is_all_the_same(session_file):
    report = replay(session_file)
    assert (report.status, report.values, report.calls, report.stops) == (0, 42, 5, len(COMMANDS))
    assert text(report) == f"{session_file}: 42 values of 5 calls, 10 stops: all the same"


def test_a_changed_integer_is_named_by_call_and_element(edit):
    def change(tensors, metadata):
        tensors["value/fc1:linear"][0, 7] ^= 1

    path = edit(change)
    recorded = load(path).recording.values[1][0, 7]
    report = replay(path)
    call = report.differing[0]
    first = call.elements[0]
    assert report.status == 1
    assert (call.name, call.place(first)) == ("fc1:linear", "fc1:linear[7]")
    assert first.captured == recorded
    assert first.delta == first.simulated - first.captured
    assert f"fc1:linear[7]  captured {recorded}  simulated {first.simulated}" in text(report)


def test_a_changed_weight_is_found(edit):
    def change(tensors, metadata):
        tensors["weight/fc1"][2] = 0

    report = replay(edit(change))
    assert [call.name for call in report.differing] == ["fc1:linear"]
    assert report.differing[0].elements[0].index == (0, 2)


@pytest.mark.parametrize(
    ("field", "value"), [("stop", "fc1:linear.mac"), ("element", 15), ("reason", "boredom")]
)
def test_a_changed_stop_is_named_with_both_places(edit, field, value):
    def change(tensors, metadata):
        metadata["session"]["commands"][4][field] = value

    report = replay(edit(change))
    found = report.stop_differences[0]
    assert (report.status, found.number, found.command) == (1, 5, "continue")
    assert f"saved: {found.recorded.stop}[{found.recorded.element}]" in text(report)
    assert f"now:   {found.now.stop}[{found.now.element}]" in text(report)


def test_a_changed_command_leads_elsewhere_and_is_named(edit):
    def change(tensors, metadata):
        metadata["session"]["commands"][0]["command"] = "end"

    report = replay(edit(change))
    assert report.status == 1
    assert report.stop_differences[0].number == 1


def test_a_command_that_no_longer_runs_is_named(edit):
    def change(tensors, metadata):
        metadata["session"]["commands"][2]["command"] = "teleport"

    report = replay(edit(change))
    assert report.status == 1
    assert "command 3, 'teleport':" in text(report)
    assert "it does not run: there is no debugger command 'teleport'" in text(report)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        (
            "breakpoints",
            [{"spot": "difference", "enabled": True, "hits": 3}],
            "the breakpoints at the end: saved difference hit 3 times, now difference hit ",
        ),
        ("watches", ["delta"], "the watches at the end: saved delta, now none"),
        ("marks", {}, "the marks at the end: saved none, now a at "),
        ("stop", "fc1:linear.mac", "the cursor at the end: saved fc1:linear.mac["),
        ("feed", "simulated", "the feed at the end: saved simulated, now captured"),
    ],
)
def test_another_state_at_the_end_is_named(edit, field, value, named):
    def change(tensors, metadata):
        metadata["session"]["state"][field] = value

    report = replay(edit(change))
    assert report.status == 1
    assert named in text(report)


def test_differences_count_under_the_arithmetic_that_the_session_ended_with(tmp_path):
    path = tmp_path / "s.qdbg"
    save(Session.of(explored(commands=("continue",))), path)
    report = replay(path)
    assert (report.status, report.arithmetic) == (1, "textbook")
    assert report.differences
    assert not report.stop_differences


def test_a_call_that_is_not_simulated_gives_3_and_its_reason(tmp_path):
    path = tmp_path / "s.qdbg"
    save(Session.of(explored(with_unknown_op(recording()), ("arithmetic auto",))), path)
    report = replay(path)
    assert report.status == 3
    assert "relu:relu: not simulated: qdbg does not know" in text(report)


def test_the_most_severe_status_of_several_files_wins():
    assert most_severe([]) == 0
    assert most_severe([0, 3]) == 3
    assert most_severe([3, 1, 0]) == 1
    assert most_severe([1, 2, 3]) == 2


def test_the_command_reports_each_file_and_goes_on_after_a_bad_one(session_file, tmp_path, qdbg):
    bad = tmp_path / "bad.qdbg"
    bad.write_bytes(b"no")
    status, out, err = qdbg("replay", bad, session_file)
    assert status == 2
    assert out.endswith("all the same\n")
    assert err.startswith(f"{bad} is not a session file")


def test_json_is_one_object_with_every_file(session_file, tmp_path, qdbg):
    status, out, _ = qdbg("replay", session_file, tmp_path / "none.qdbg", "--json")
    data = json.loads(out)
    good, bad = data["sessions"]
    assert (status, data["status"]) == (2, 2)
    assert (good["status"], good["values"], good["differences"]) == (0, 42, 0)
    assert good["capture"]["engine"] in ENGINES
    assert bad == {"path": str(tmp_path / "none.qdbg"), "status": 2, "reason": bad["reason"]}
    assert "there is no file" in bad["reason"]


def test_json_names_what_changed(edit, qdbg):
    def change(tensors, metadata):
        tensors["value/fc1:linear"][0, 7] ^= 1
        metadata["session"]["commands"][1]["command"] = "teleport"

    _, out, _ = qdbg("replay", edit(change), "--json")
    (session,) = json.loads(out)["sessions"]
    assert session["differing"][0]["elements"][0]["index"] == [0, 7]
    teleport = next(s for s in session["stop_differences"] if s["command"] == "teleport")
    assert teleport["now"] is None


def test_junit_has_one_test_case_per_session(session_file, tmp_path, edit, qdbg):
    bad, target = tmp_path / "bad.qdbg", tmp_path / "junit.xml"
    bad.write_bytes(b"\x1b[2J")
    odd = tmp_path / "odd.qdbg"
    save(Session.of(explored(with_unknown_op(recording()), ("arithmetic auto",))), odd)
    status, _, _ = qdbg("replay", session_file, bad, odd, "--junit", target)
    suite = ET.parse(target).getroot()[0]  # noqa: S314 - written a line above
    assert status == 2
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["3", "0", "1", "1"]
    assert [len(case) for case in suite] == [0, 1, 1]


def test_junit_on_a_full_disk_leaves_the_report_before(session_file, tmp_path, qdbg):
    target = tmp_path / "x.xml"
    target.write_text("before")
    with full_disk():
        status, _, err = qdbg("replay", session_file, "--junit", target)
    assert status == 2
    assert "x.xml cannot be written" in err
    assert target.read_text() == "before"


def test_junit_goes_into_a_pipe_or_a_device_too(session_file, tmp_path, qdbg):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    status, _, _ = qdbg("replay", session_file, "--junit", tmp_path / "pipe")
    assert status == 0
    assert os.read(reader, 2**16).startswith(b"<?xml")
    os.close(reader)


def test_junit_that_cannot_be_written_is_said(session_file, tmp_path, qdbg):
    status, _, err = qdbg("replay", session_file, "--junit", tmp_path / "no" / "x.xml")
    assert status == 2
    assert "x.xml cannot be written" in err


# --------------------------------------------------------------------------- PyTorch again


def test_recapture_compares_call_by_call():
    before, now = recording(), recording()
    values = list(now.values)
    values[3] = values[3].copy()
    values[3][0, 1] ^= 4
    object.__setattr__(now, "values", tuple(values))
    again = compare_recordings(before, now)
    assert [call.name for call in again.differing] == ["fc2:linear"]
    assert again.differing[0].elements[0].index == (0, 1)
    assert again.differs
    assert not compare_recordings(before, recording()).differs


def test_recapture_needs_the_recorded_model(session_file, qdbg):
    status, _, err = qdbg("replay", "--recapture", session_file)
    assert status == 2
    assert "the recorded model iris_qat.pth is not there" in err


def test_recapture_refuses_another_model_of_that_name(session_file):
    (session_file.parent / "iris_qat.pth").write_bytes(b"another")
    with pytest.raises(SessionError, match="is not the model that was recorded"):
        replay(session_file, recapture=True)


def test_a_real_session_replays_and_pytorch_computes_the_same_again(real_session, qdbg):
    status, out, err = qdbg("replay", "--recapture", real_session)
    assert (status, err) == (0, "")
    assert "42 values of 5 calls, 4 stops: all the same" in out
    assert "run again on fbgemm/avx2: the same values" in out
