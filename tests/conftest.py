"""No test, and no process that a test starts, touches the user's own folders."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def state_of_its_own(tmp_path_factory):
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    os.environ.pop("XDG_STATE_HOME")
    if before is not None:
        os.environ["XDG_STATE_HOME"] = before
