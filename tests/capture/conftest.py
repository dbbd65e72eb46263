"""Captures that several tests share: each of these imports torch in a child of its own."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from qdbg.capture import machine_level
from qdbg.names import ENGINES, LEVELS
from tests.capture.helpers import request_for, run
from tests.captures import each_child_started_for_itself


@pytest.fixture(scope="session")
def reachable():
    return LEVELS[: LEVELS.index(machine_level()) + 1]


@pytest.fixture(scope="session")
def recordings(reachable):
    """The versicolor sample on every engine and every level of this machine."""
    asked = [(engine, level) for engine in ENGINES for level in reachable]
    with each_child_started_for_itself(), ThreadPoolExecutor(2) as pool:
        made = pool.map(lambda pair: run(request_for(*pair)), asked)
        return dict(zip(asked, made, strict=True))
