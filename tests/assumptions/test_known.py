"""Stages that many plans share are computed once, and never taken for each other."""

import numpy as np
import pytest

from qdbg.assumptions import known
from qdbg.assumptions.known import Known
from qdbg.core.stage import stage


class Counted:
    """A stage that says how often it was computed."""

    def __init__(self):
        self.times = 0

        def double(x):
            """Twice."""
            self.times += 1
            return x * 2

        self.stage = stage("double", output="y int32 [n]", formula="y = 2 · x")(double)


@pytest.fixture
def counted():
    return Counted()


def test_operands_of_the_same_content_are_computed_once(counted):
    shared = Known()
    for _ in range(3):
        made = shared.run(counted.stage, {"x": np.arange(4, dtype=np.int32)})
        assert made.tolist() == [0, 2, 4, 6]
    assert counted.times == 1


DISTINCT = (
    np.array([0, 1], np.int32),
    np.array([0, 2], np.int32),
    np.array([0, 1], np.int64),
    np.array([[0, 1]], np.int32),
    np.array([0, 9, 1], np.int32)[::2],
    np.array(0, np.int32),
    np.float32(0),
    0,
    1,
    False,
    0.0,
    -0.0,
)


def test_operands_that_differ_in_anything_are_not_taken_for_each_other(counted):
    shared = Known()
    for operand in DISTINCT * 2:
        made = shared.run(counted.stage, {"x": operand})
        assert type(made) is type(operand * 2)
        assert repr(made) == repr(operand * 2)
    assert counted.times == len(DISTINCT)


def test_a_large_operand_is_known_only_where_many_plans_share_it(counted, monkeypatch):
    monkeypatch.setattr(known, "SMALL", 8)
    shared, x = Known(), np.arange(100)
    for _ in range(2):
        shared.run(counted.stage, {"x": x})
    assert counted.times == 2
    shared.hold({"x": x})
    for _ in range(2):
        shared.run(counted.stage, {"x": x})
    assert counted.times == 3


def test_what_outgrows_the_room_is_forgotten_and_made_again(counted, monkeypatch):
    monkeypatch.setattr(known, "ROOM", 100)
    shared = Known()
    for _ in range(2):
        for x in range(20):
            made = shared.run(counted.stage, {"x": np.full(4, x, np.int32)})
            assert made.tolist() == [2 * x] * 4
    assert counted.times == 40
