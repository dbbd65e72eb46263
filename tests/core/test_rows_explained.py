"""Formulas of ops that reduce several values to one show those values."""

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.engine.explain import line
from qdbg.engine.simulate import Simulation
from qdbg.ops import _range, registry


def explained(name, stage, index, **changed):
    op = registry()[name]
    example = op.examples[0]
    arithmetic = ARITHMETICS["fbgemm-avx2"]
    values = {k: np.asarray(v) for k, v in {**example.operands, **changed}.items()}
    stages = op.stages(arithmetic, values)
    for each in stages:
        values[each.output] = np.asarray(each.run(values))
    made = Simulation(arithmetic, stages, {}, None, values, values["y_q"])
    return line(next(s for s in stages if s.name == stage), made, index).numbers


def test_a_mean_shows_its_values():
    assert explained("mean", "sum", (0,)) == "acc[0] = sum of [3, 9, 5, 9] = 26"


def test_a_mean_of_everything_has_no_place():
    changed = {"window": np.array([3, 9, 5, 9], np.uint8), "n": 4}
    assert explained("mean", "sum", (), **changed) == "acc = sum of [3, 9, 5, 9] = 26"


def test_of_many_values_the_first_are_shown():
    changed = {"window": np.arange(7, dtype=np.uint8)[None], "n": np.array([7])}
    assert (
        explained("mean", "sum", (0,), **changed) == "acc[0] = sum of [0, 1, 2, … (7 values)] = 21"
    )


@pytest.mark.parametrize(("dim", "shown"), [(0, "[85.0, 75.0]"), (1, "[85.0, 80.0]")])
def test_softmax_shows_the_values_along_its_axis(dim, shown):
    x_q = np.array([[180, 170], [160, 190]], np.uint8)
    found = explained("softmax", "largest", (0, 0), x_q=x_q, dim=dim, size=2)
    assert found.endswith(f" = max of {shown} = 85.0")


def test_a_range_shows_the_numbers_that_it_is_of():
    arithmetic = ARITHMETICS["textbook"]
    values = {"x": np.array([[0.5, -1.5], [2.0, 0.25], [1.0, 1.0]], np.float32)}
    smallest = _range.smallest
    values["x_min"] = np.asarray(smallest.run(values))
    made = Simulation(arithmetic, (smallest,), {}, None, values, values["x_min"])
    for index in ((0, 0), (2, 1)):
        found = line(smallest, made, index).numbers
        assert found == "x_min = min(0.5, -1.5, 2.0, … (6 values), 0) = -1.5"
