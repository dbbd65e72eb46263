"""The table, watches and origins of an embedding's elements go by the row that its index names,
also where it has as many rows as columns, or as many as it is asked for."""

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import INPUT, Environment, Node, Program, Recording
from qdbg.engine.expression import parse
from qdbg.engine.origin import origins
from qdbg.engine.scope import value_at
from qdbg.engine.table import Table
from qdbg.engine.trace import Trace

WEIGHT = np.array([[1, 2, 3], [3, 4, 5], [9, 7, 5]], np.uint8)
SCALE = np.array([0.5, 0.25, 2.0], np.float32)
ZERO_POINT = np.array([1, 2, 3], np.float32)


def embedding(op, indices, result, **more):
    """The recording of one call; the constants in the order of their names."""
    known = {
        "weight": WEIGHT, "weight_scale": SCALE, "weight_zero_point": ZERO_POINT,
        "weight_bits": np.array([8]), **more,
    }  # fmt: skip
    names = ("indices", *known)
    inputs = (INPUT, *(-3 - place for place in range(len(known))))
    node = Node(
        "layer:" + op, op, "layer", "net.py:1", inputs, result.shape, "float32", None, names
    )
    return Recording(
        "net.pth", "0" * 64, "one", indices,
        Environment("fbgemm", "avx2", "2.13.0", "a CPU", "", True),
        Program((node,), {}), (result.astype(np.float32),), tuple(known.values()),
    )  # fmt: skip


@pytest.fixture
def looked_up():
    """Rows 2, 0 and 1 of a table of three rows and columns."""
    row = np.array([2, 0, 1])
    result = SCALE[row, None] * (WEIGHT[row] - ZERO_POINT[row, None])
    return Trace(embedding("embedding", row, result), ARITHMETICS["fbgemm-avx2"])


@pytest.fixture
def bag():
    """Rows 2 and 0, and row 1."""
    every = SCALE[:, None] * (WEIGHT - ZERO_POINT[:, None])
    result = np.stack([every[2] + every[0], every[1]])
    made = embedding("embedding_bag", np.array([2, 0, 1]), result, offsets=np.array([0, 2]))
    return Trace(made, ARITHMETICS["fbgemm-avx2"])


def test_a_row_of_the_table_shows_what_its_element_is_computed_from(looked_up):
    table = Table(looked_up.step(0))
    assert [column.title for column in table.columns[:4]] == ["w_q", "s", "b", "row"]
    assert table.row(1).cells == ("7", "2.0", "-6.0", "2", "8.0", "8.0", "0")
    assert table.row(5).cells == ("3", "0.5", "-0.5", "0", "1.0", "1.0", "0")


def test_rows_that_are_added_up_are_no_column(bag):
    assert [column.title for column in Table(bag.step(0)).columns] == ["y", "captured", "Δ"]
    assert not bag.step(0).differences


@pytest.mark.parametrize(("watched", "shown"), [("s", 0.5), ("w_q", 3), ("row", 0), ("b", -0.5)])
def test_a_watched_operand_is_that_of_the_row(looked_up, watched, shown):
    assert value_at(looked_up.step(0), parse(watched), 5) == shown


def test_what_several_rows_have_has_no_name_in_a_watch(bag):
    assert value_at(bag.step(0), parse("s"), 0) is None


def test_an_element_comes_from_the_index_that_names_its_row(looked_up):
    found = origins(looked_up, looked_up.step(0), 5)
    assert [(each.place, each.value) for each in found] == [("the model's input, [1]", "0")]


def test_an_element_of_a_bag_comes_from_every_index_of_the_bag(bag):
    found = origins(bag, bag.step(0), 0)
    assert [(each.place, each.value) for each in found] == [
        ("the model's input, [0]", "2"),
        ("the model's input, [1]", "0"),
    ]
