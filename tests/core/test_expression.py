"""Expressions over the numbers of a step: exact, for all elements at once, and never run."""

import numpy as np
import pytest

from qdbg.debugger import Debugger
from qdbg.engine.expression import MOST_CHARACTERS, parse
from qdbg.engine.scope import check_names, satisfying, value_at
from qdbg.errors import CommandError
from tests.synthetic import recording


@pytest.fixture(scope="module")
def trace():
    return Debugger(recording(rows=2), "textbook").trace


def step(trace, name):
    names = [trace.step(i).name for i in range(len(trace))]
    return trace.step(names.index(name))


VALUES = {"a": np.array([-3, 0, 5]), "x": np.array([0.5, np.nan, 2], np.float32), "layer": "fc1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > 1", [False, False, True]),
        ("abs(a) > 1 and a < 0", [True, False, False]),
        ("not a", [False, True, False]),
        ("-1 < a <= 5", [False, True, True]),
        ("a in (0, 5)", [False, True, True]),
        ("a not in (0, 5)", [True, False, False]),
        ("a % 2 == 1", [True, False, True]),
        ("a & 1 or a == 0", [True, True, True]),
        ("x", [True, False, True]),
        ("x == 0.5", [True, False, False]),
        ("a / a == 1", [True, False, True]),
        ("a // a == 1", [True, False, True]),
        ("max(a, 1) == 1", [True, True, False]),
        ('layer == "fc1" and a == 0', [False, True, False]),
        ('layer in ("fc2", "fc3") or a > 0', [False, False, True]),
        ("a * 4611686018427387904 > 2e19", [False, False, True]),
    ],
)
def test_the_result_is_that_of_each_element(text, expected):
    assert np.broadcast_to(parse(text).holds(VALUES), (3,)).tolist() == expected


def test_bytes_are_widened_before_they_are_added():
    assert int(parse("y + 1").compute({"y": np.array(255, np.uint8)})) == 256


def test_what_and_need_not_know_is_not_asked_for():
    assert not parse('layer == "fc2" and dot > 3').holds(VALUES)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "a.real", "a[0]", "lambda: 1", "[a for a in x]", "a ** 9", "f(a)",
        "abs(a, a)", "max(a)", "a if a else x", "(b := 3)", "'text'", "layer", "layer < 'fc1'",
        "layer == 3", "a in 3", "a is x", "1e400", "9" * 30, "a = 3", "a >", "", "~a", "*a",
        "abs(*a)", "abs(x=1)", "a +" * 99 + "a", "a\nb", "a\\",
        "a" * (MOST_CHARACTERS + 1), "{a: 1}", "f'{a}'", "...", "None", "1j",
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_words(text):
    with pytest.raises(CommandError) as caught:
        parse(f"{text} ")
    assert caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        *("1/0", "a % (2 - 2)", "a // -0.0", "a > 1 / max(0, -1)"),
        *("1/(0 and a)", "1/(a and 0)", "a % -(a and 0 and x)", "1/(a and 0 or 0)"),
    ],
)
def test_a_division_by_zero_whatever_the_numbers_are_is_refused(text):
    with pytest.raises(CommandError, match="divides by zero"):
        parse(text)


@pytest.mark.parametrize("text", ["1/(a or 0)", "1/(a and x)", "1/(0 or a)", "1/-a", "1/(1 or a)"])
def test_what_is_0_for_some_numbers_alone_may_divide(text):
    assert parse(text).text == text


def test_an_expression_sees_the_stages_own_symbols_and_the_axes(trace):
    clamp = step(trace, "fc1:linear.clamp")
    found = satisfying(clamp, parse("delta != 0 and n == 1"))
    assert found.reshape(clamp.shape)[0].sum() == 0
    assert np.array_equal(found.reshape(clamp.shape)[1], clamp.different[1])
    assert np.array_equal(
        satisfying(clamp, parse("y_q == simulated and z >= y_q")).reshape(clamp.shape),
        clamp.simulation.values["z"] >= clamp.simulated,
    )


def test_an_expression_says_nothing_where_its_names_are_missing(trace):
    assert satisfying(step(trace, "fc1:linear.mac"), parse("delta > 0")) is None
    assert satisfying(step(trace, "fc1:linear.mac"), parse("w_q > 0")) is None


def test_the_value_of_one_element_is_exact(trace):
    mac = step(trace, "fc1:linear.mac")
    acc = mac.simulated
    assert value_at(mac, parse("acc - 1"), 17) == acc.ravel()[17] - 1
    assert value_at(mac, parse("c"), 17) == 1
    assert value_at(mac, parse("i"), 17) == 17


def test_a_name_that_no_stage_has_is_named_with_those_that_there_are(trace):
    with pytest.raises(CommandError) as caught:
        check_names(trace, parse("y_q > 3 and foo"))
    assert "no name 'foo'" in caught.value.message
    assert "acc" in caught.value.remedy
