"""Formulas with the user's numbers say what really was computed."""

import re
from dataclasses import replace

import numpy as np
import pytest

from qdbg.core import arithmetic as primitives
from qdbg.core.presets import ARITHMETICS
from qdbg.engine.explain import explain, way
from qdbg.engine.filled import number
from qdbg.engine.survey import survey
from qdbg.engine.table import Table
from qdbg.engine.terms import lost_outputs, terms
from qdbg.engine.trace import Trace
from tests.golden.conftest import image_recording
from tests.synthetic import recording


def steps(arithmetic, seed=0, rows=1):
    trace = Trace(recording(seed, rows=rows), ARITHMETICS[arithmetic])
    return [trace.step(i) for i in range(len(trace))]


def step_named(arithmetic, name):
    return next(s for s in steps(arithmetic) if s.name == name)


def evaluate(text):
    """The numbers of a formula, computed by Python: qdbg's own words as functions.

    A decimal stands for the float32 whose shortest form it is; the scales here are exact in both.
    """
    words = {w: getattr(primitives, w) for w in ("f32", "rne", "sat16", "sat32", "wrap32", "fma32")}
    python = text.replace("−", "-").replace("·", "*")
    python = re.sub(r"\d+\.\d+(e-?\d+)?", lambda m: repr(float(np.float32(m[0]))), python)
    return eval(python, {"__builtins__": {}, "min": min, "max": max, **words})  # noqa: S307


@pytest.mark.parametrize("arithmetic", sorted(ARITHMETICS))
def test_the_numbers_on_the_screen_give_the_result_on_the_screen(arithmetic):
    checked = 0
    for step in steps(arithmetic):
        for element in range(step.size):
            for line in explain(step, element):
                _, right = line.numbers.split(" = ", 1)
                formula, result = right.rsplit(" = ", 1)
                if "…" in line.numbers:
                    continue  # shortened numbers and long sums are checked by their parts
                assert np.float32(evaluate(formula)) == np.float32(result), line.numbers
                checked += 1
    assert checked > 100


def test_every_symbol_is_replaced():
    for step in steps("fbgemm-avx2") + steps("onednn-avx2") + steps("textbook"):
        for line in explain(step, step.size - 1):
            left = re.sub(r"\b(f32|rne|sat16|sat32|min|max|fma32)\(|terms\)", "", line.numbers)
            assert not re.search(r"[a-z_]+(?![\w\[])", left.split(" = ", 1)[1]), line.numbers


def test_terms_add_up_to_the_accumulator_of_every_element():
    for arithmetic in ("fbgemm-avx2", "fbgemm-vnni", "textbook", "onednn-avx2"):
        for step in steps(arithmetic, rows=3):
            if step.stage.name != "mac":
                continue
            for element in range(step.size):
                found = terms(step, element)
                assert found.rows[-1].running == step.simulated.ravel()[element]


def test_the_lost_excess_is_the_whole_sum_less_the_saturated_one():
    step = step_named("fbgemm-avx2", "fc1:linear.mac")
    whole = step.stage.whole(step.simulation.values).ravel()
    for element in range(step.size):
        found = terms(step, element)
        assert found.excess == whole[element] - step.simulated.ravel()[element]
        assert bool(found.saturating) == bool(step.cut.ravel()[element])


def test_the_loss_is_worth_what_the_textbook_differs_by():
    step = step_named("fbgemm-avx2", "fc1:linear.mac")
    exact = step_named("textbook", "fc1:linear.clamp")
    for element in np.flatnonzero(step.cut):
        worth = lost_outputs(step, int(element), terms(step, int(element)))
        assert abs(worth - exact.delta.ravel()[element]) <= 1


def test_the_way_ends_at_the_output_byte():
    step = step_named("fbgemm-avx2", "fc1:linear.mac")
    assert way(step, 3)[-1].numbers.startswith("y_q[3] = ")
    assert len(way(step, 3)) == 10  # seven stages and three constants


def test_a_table_row_holds_the_numbers_of_its_element():
    step = step_named("textbook", "fc1:linear.clamp")
    table = Table(step)
    titles = [column.title for column in table.columns]
    assert titles == ["z[c]", "y_q", "captured", "Δ"]
    for element in range(len(table)):
        cells = dict(zip(titles, table.row(element).cells, strict=True))
        assert int(cells["Δ"]) == int(cells["y_q"]) - int(cells["captured"])
        assert table.row(element).differs == (cells["Δ"] != "0")


def test_several_rows_are_counted_by_row_and_channel():
    trace = Trace(recording(rows=3), ARITHMETICS["textbook"])
    table = Table(trace.step(trace.first_steps[2] - 1))
    assert table.letters == "n,c"
    assert table.position(17) == "1,1"


def test_the_survey_counts_what_each_arithmetic_leaves():
    made = recording()
    fares = {name: fare for fare in survey(made) for name in fare.names}
    assert set(fares) == set(ARITHMETICS)
    assert fares["fbgemm-avx2"].differences == 0
    for name, fare in fares.items():
        assert fare.differences == Trace(made, ARITHMETICS[name]).differences
    assert fares["textbook"].differences > 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.int32(-7), "-7"),
        (np.float32(0.1), "0.1"),
        (np.float64(0.5), "0.5"),
        (np.float64(0.1234567890123), "0.123456789…"),
    ],
)
def test_numbers_are_exact_or_say_that_they_are_not(value, text):
    assert number(value) == text


def test_beside_an_exact_simulation_the_kernels_own_pairs_are_shown():
    trace = Trace(recording(), ARITHMETICS["textbook"])
    assert trace.captured_arithmetic.name == "fbgemm-avx2"
    step = trace.step(trace.first_steps[2] - 1)
    for element in np.flatnonzero(step.different):
        found = terms(step, int(element), trace.captured_arithmetic)
        assert found.saturating
        assert abs(lost_outputs(step, int(element), found) - step.delta.ravel()[element]) <= 1


def test_a_sum_of_a_convolution_shows_the_terms_of_every_channel():
    trace = Trace(image_recording(), ARITHMETICS["fbgemm-vnni"])
    (step,) = (
        step
        for step in map(trace.step, range(trace.first_steps[1], trace.first_steps[2]))
        if step.stage is not None and step.stage.name == "mac"
    )
    made = step.simulation
    x_c = made.values["x_q"].astype(int) - int(made.values["x_zp"])
    first = x_c.reshape(-1, x_c.shape[-1])[-1][0]
    shown = explain(step, step.simulated.size - 1)[0].numbers
    assert f"{first}·" in shown
    assert "… (27 terms)" in shown


def test_the_largest_difference_of_floats_counts_where_only_those_differ():
    made = recording()
    values = (*made.values[:-1], made.values[-1] + np.float32(0.5))
    (fare, *_) = (f for f in survey(replace(made, values=values)) if "fbgemm-avx2" in f.names)
    assert (fare.differences, round(fare.max_delta, 4)) == (3, 0.5)
