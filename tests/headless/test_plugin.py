"""pytest collects sessions: each one is a test with a plain report."""

from qdbg.session import Session, save
from tests.headless.conftest import explored, python
from tests.synthetic import recording, with_unknown_op


def pytest_on(folder):
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = python("-m", "pytest", "-p", "no:cacheprovider", "-rs", folder, cwd=folder)
    return done.returncode, done.stdout


def test_a_folder_of_sessions_is_a_test_run(session_file):
    status, out = pytest_on(session_file.parent)
    assert status == 0
    assert "1 passed" in out


def test_a_session_that_differs_fails_with_the_report_and_no_traceback(edit, session_file):
    def change(tensors, metadata):
        tensors["value/fc1:linear"][0, 7] ^= 1

    edit(change)
    (session_file.parent / "bad.qdbg").write_bytes(b"no")
    status, out = pytest_on(session_file.parent)
    assert status == 1
    assert "2 failed" in out
    assert "fc1:linear[7]  captured " in out
    assert "bad.qdbg is not a session file" in out
    assert "Traceback" not in out
    assert "pytest_plugin.py" not in out


def test_a_session_that_could_not_be_simulated_is_skipped_with_the_reason(tmp_path):
    odd = explored(with_unknown_op(recording()), ("arithmetic auto",))
    save(Session.of(odd), tmp_path / "odd.qdbg")
    status, out = pytest_on(tmp_path)
    assert status == 0
    assert "1 skipped" in out
    assert "not simulated: qdbg does not know" in out
