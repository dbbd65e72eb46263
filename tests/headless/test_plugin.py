"""pytest collects sessions: each one is a test with a plain report."""

import pytest

from qdbg.session import Session, save
from tests.headless.conftest import explored, python
from tests.synthetic import recording, with_unknown_op


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What pytest says of a session that is right, one that differs, one that could not be
    simulated, and a file that is none."""
    folder = tmp_path_factory.mktemp("sessions")
    (folder / "pytest.ini").write_text("[pytest]\n")
    save(Session.of(explored()), folder / "right.qdbg")
    differs = recording()
    differs.values[1].flags.writeable = True
    differs.values[1][0, 7] ^= 1
    save(Session.of(explored(differs)), folder / "differs.qdbg")
    odd = explored(with_unknown_op(recording()), ("arithmetic auto",))
    save(Session.of(odd), folder / "odd.qdbg")
    (folder / "bad.qdbg").write_bytes(b"no")
    done = python("-m", "pytest", "-p", "no:cacheprovider", "-rsp", folder, cwd=folder)
    assert done.returncode == 1
    return done.stdout


def test_a_folder_of_sessions_is_a_test_run(said):
    assert "2 failed, 1 passed, 1 skipped" in said
    assert "PASSED right.qdbg" in said


def test_a_session_that_differs_fails_with_the_report_and_no_traceback(said):
    reports = said.partition("short test summary")[0]
    assert "fc1:linear[7]  captured " in reports
    assert "bad.qdbg is not a session file" in reports
    assert "Traceback" not in reports
    assert "pytest_plugin.py" not in reports


def test_a_session_that_could_not_be_simulated_is_skipped_with_the_reason(said):
    assert "not simulated: qdbg does not know" in said
