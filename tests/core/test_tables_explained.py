"""An element of an embedding is shown and written by the numbers of its own row."""

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.engine.computation import Writer
from qdbg.engine.explain import _with_constants
from qdbg.engine.simulate import Simulation
from qdbg.engine.written import python
from qdbg.ops import registry
from tests.core.test_written import printed_by_python

TABLE = {
    "w_q": np.array([[1, 2], [3, 4], [9, 7]], np.uint8),
    "w_scale": np.array([0.5, 0.25, 2.0], np.float32),
    "w_zp": np.array([1, 2, 3], np.float32),
    "bits": np.array(8),
}
BAGS = {"first": np.array([0, 3]), "last": np.array([3, 3])}


def simulated(name, operands):
    values = {**TABLE, **operands}
    stages = registry()[name].stages(ARITHMETICS["textbook"], values)
    for each in stages:
        values[each.output] = np.asarray(each.run(values))
    constants = {each.output: each for each in stages if each.constant}
    steps = tuple(each for each in stages if not each.constant)
    return Simulation(ARITHMETICS["textbook"], steps, constants, None, values, values["y"])


def lines(made, index):
    return [line.numbers for line in _with_constants(made.stages[0], made, index)]


@pytest.mark.parametrize(
    ("row", "index"), [(np.array([0, 2]), (1, 1)), (np.array([[0], [2]]), (1, 0, 1))]
)
def test_a_value_is_of_the_row_that_its_index_names(row, index):
    made = simulated("embedding", {"row": row})
    assert made.values["y"][index] == 2 * (7 - 3)
    place = ",".join(map(str, index))
    assert lines(made, index) == [
        f"y[{place}] = fma32(7, 2.0, -6.0), r = 2 = 8.0",
        "s[2] = 2.0",
        "b[2] = f32(-3.0·2.0) = -6.0",
    ]


def test_a_bag_adds_up_its_rows():
    made = simulated("embedding_bag", {"row": np.array([0, 2, 0]), **BAGS})
    assert lines(made, (0, 1))[0] == (
        "y[0,1] = fma32(2, 0.5, -0.5) + fma32(7, 2.0, -6.0) + fma32(2, 0.5, -0.5) = 9.0"
    )
    assert lines(made, (1, 0)) == ["y[1,0] = 0 = 0.0"]


def test_each_place_of_a_bag_has_its_weight():
    weight = np.array([1, 3, 2], np.float32)
    made = simulated("embedding_bag", {"row": np.array([0, 2, 0]), "weight": weight, **BAGS})
    assert "fma32(7, 2.0·3.0, -6.0·3.0)" in lines(made, (0, 1))[0]
    assert made.values["y"][0, 1] == 0.5 + 24 + 1


def test_a_program_takes_the_row_too():
    made = simulated("embedding", {"row": np.array([0, 2])})
    writer = Writer(made, (1, 1))
    writer.add(made.stages[0])
    assert float(printed_by_python(python(writer.made_of("embedding")))) == 8
