"""Captures that several tests share, in a process that is started for them."""

import subprocess
import sys

import pytest

from qdbg.capture import machine_level
from qdbg.capture.parent import child_environment
from qdbg.core.container import decode, unpack
from qdbg.names import ENGINES, LEVELS


@pytest.fixture(scope="session")
def reachable():
    return LEVELS[: LEVELS.index(machine_level()) + 1]


@pytest.fixture(scope="session")
def recordings(reachable, tmp_path_factory):
    """The versicolor sample on every engine and every level of this machine."""
    made = {}
    for level in reachable:
        folder = tmp_path_factory.mktemp(level)
        command = [sys.executable, "-W", "ignore", "-m", "tests.capture.started", level, folder]
        subprocess.run(command, env=child_environment(level), check=True)  # noqa: S603 - our own
        for engine in ENGINES:
            data = (folder / engine).read_bytes()
            made[engine, level] = unpack(*decode(data, "the capture's answer"))
    return made


@pytest.fixture(params=ENGINES)
def engine(request):
    """One after the other, PyTorch's own in this process."""
    import torch  # noqa: PLC0415 - for the tests that run it here

    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = request.param
    yield request.param
    torch.backends.quantized.engine = before
