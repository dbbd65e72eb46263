"""What if the weights of an embedding, or of a linear part of an LSTM, were other ones: they are
operands of the calls, and no layer of the file holds them."""

from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import INPUT, Environment, Node, Program, Recording, Unseen
from qdbg.core.quantity import QParams, QTensor
from qdbg.debugger import Debugger
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.spots import spots_here
from tests.core.test_tables_seen import SCALE, WEIGHT, ZERO_POINT, embedding

ROW = np.array([2, 0, 1])


def table():
    result = SCALE[ROW, None] * (WEIGHT[ROW] - ZERO_POINT[ROW, None])
    return replace(embedding("embedding", ROW, result), unseen=Unseen())


def parts():
    """Two calls with the same weights, unpacked anew for each, and one with others and with the
    same bias: an LSTM's that is called twice."""
    random = np.random.default_rng(4)
    params = QParams.per_tensor(0.02, 0, "qint8")
    weights = [QTensor(random.integers(-128, 128, (5, 3)).astype(np.int8), params) for _ in "ab"]
    bias = random.normal(size=5).astype(np.float32)
    again = replace(weights[0], q=weights[0].q.copy())
    fed = random.normal(size=(1, 3)).astype(np.float32)
    form = ((1, 5), "float32", None, ("X", "weight", "bias"), {"reduce_range": True})
    own, other, later = (INPUT, -3, -5), (INPUT, -4, -6), (INPUT, -7, -8)
    nodes = tuple(
        Node(name, "linear_dynamic", "lstm", None, inputs, *form)
        for name, inputs in (("lstm:ih", own), ("lstm:hh", other), ("lstm#2:ih", later))
    )
    made = Recording(
        "lstm.pth", "0" * 64, "one", fed,
        Environment("fbgemm", "vnni", "2.13.0", "a CPU", "exact sums", True),
        Program(nodes, {}), tuple(np.zeros((1, 5), np.float32) for _ in nodes),
        (*weights, bias, bias.copy(), again, bias.copy()), Unseen(),
    )  # fmt: skip
    trace = Trace(made, ARITHMETICS["fbgemm-vnni"])
    return replace(made, values=tuple(trace.simulation(call).result for call in range(3)))


def changed(made, command):
    debugger = Debugger(made)
    debugger.execute(f"set {command}")
    return debugger


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("layer.w_q[0,1] = 200", [0, 99.5, 1]),
        ("layer.w_scale[0] = 4", [0, 4, 8]),
        ("layer.w_zp[0] = 2.5", [-0.75, -0.25, 0.25]),
    ],
)
def test_a_number_of_a_table_changes_what_its_row_gives_and_no_other(command, result):
    made = table()
    trace = changed(made, command).trace
    expected = made.values[0].copy()
    expected[1] = result  # it is looked up second
    assert np.array_equal(trace.simulation(0).result, expected)
    assert trace.changed == (int(np.count_nonzero(expected != made.values[0])),)


def test_weights_of_a_part_change_every_call_that_takes_them_and_no_other():
    made = parts()
    trace = changed(made, "lstm:ih.w_q[2,0] = -7").trace
    for call, changes in enumerate((1, 0, 1)):
        found = np.flatnonzero(trace.simulation(call).result != made.values[call])
        assert found.tolist() == ([2] if changes else [])
    trace = changed(made, "lstm:hh.b[4] = 3").trace
    assert np.flatnonzero(trace.simulation(1).result != made.values[1]).tolist() == [4]
    for call in (0, 2):
        assert trace.simulation(call).result.tobytes() == made.values[call].tobytes()
    trace = changed(made, "lstm:ih.w_scale = 0.04").trace
    assert np.all(trace.simulation(2).values["w_scale"] == 0.04)


@pytest.mark.parametrize(
    ("made", "command", "words"),
    [
        (table, "layer.w_q[0,1] = 256", "a whole number from 0 to 255"),
        (table, "layer.w_q[3,1] = 1", r"up to \[2,2\]"),
        (table, "layer.b[0] = 1", "no b that can be changed"),
        (parts, "lstm:ih.w_q[0,0] = 128", "a whole number from -128 to 127"),
    ],
)
def test_what_a_number_may_be_follows_from_where_it_is_held(made, command, words):
    with pytest.raises(CommandError, match=words):
        changed(made(), command)


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (table, r"layer\.w_q\[r,e\], layer\.w_scale\[r\]"),
        (parts, r"lstm:ih\.w_q\[c,k\], lstm:ih\.w_scale"),
    ],
)
def test_what_can_be_changed_is_named_also_where_no_layer_holds_it(made, named):
    with pytest.raises(CommandError, match=named):
        changed(made(), "nobody.w_q[0,0] = 1")


def test_float32_numbers_of_a_table_are_told_as_they_were_typed():
    assert changed(table(), "layer.w_scale[0] = 0.1").trace.what_if == "layer.w_scale[0] = 0.1"


def test_a_table_of_half_bytes_takes_numbers_up_to_15():
    made = table()
    constants = (*made.constants[:3], np.array([4]))
    with pytest.raises(CommandError, match="from 0 to 15"):
        changed(replace(made, constants=constants), "layer.w_q[0,1] = 16")


def test_a_float_result_of_such_a_call_can_be_another_number():
    trace = changed(table(), "layer[1] = 7.5").trace
    assert trace.simulation(0).result[0, 1] == np.float32(7.5)


def test_the_numbers_behind_an_element_are_those_of_its_row():
    trace = Debugger(table()).trace
    names = [spot.name for spot in spots_here(trace, 4, trace.step(0))]
    assert names[1:4] == ["layer.w_q[0,1]", "layer.w_scale[0]", "layer.w_zp[0]"]
