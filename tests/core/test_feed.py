"""Simulated integers are fed on as far as they are known, and not past what is not simulated."""

from dataclasses import replace

import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import FIRST_CONSTANT, INPUT, Unseen
from qdbg.core.quantity import readonly
from qdbg.engine.survey import survey
from qdbg.engine.trace import Trace
from qdbg.engine.unseen import DERIVED, FOLLOWS, RANGED
from tests.synthetic import recording, with_unknown_op

REASONS = "relu:relu", "fc2:linear"
"""The call that is not simulated, and the one that takes its result and is not either."""


def reasons(made, arithmetic, feed="simulated"):
    found = Trace(made, ARITHMETICS[arithmetic], feed).comparisons
    return [c.reason for c in found if c.status == "not simulated"]


def test_what_pytorch_gave_where_nothing_changed_stands_under_its_own_arithmetic():
    assert len(reasons(with_unknown_op(recording()), "fbgemm-avx2")) == 1


@pytest.mark.parametrize("arithmetic", ["textbook", "qnnpack-avx2", "fbgemm-vnni"])
def test_under_another_arithmetic_what_follows_is_not_known(arithmetic):
    made = with_unknown_op(recording())
    _, *after = reasons(made, arithmetic)
    assert after == [FOLLOWS.format(name) for name in REASONS]
    assert len(reasons(made, arithmetic, "captured")) == 1


def test_what_follows_a_call_whose_operands_change_is_not_known():
    made = with_unknown_op(recording())
    other = made.values[1].copy()
    other[0, 0] ^= 1
    made = replace(made, values=(made.values[0], readonly(other), *made.values[2:]))
    _, *after = reasons(made, "fbgemm-avx2")
    assert after == [FOLLOWS.format(name) for name in REASONS]


def test_a_range_that_follows_from_changed_numbers_is_not_known():
    made = recording()
    ranged = tuple(
        replace(node, op="quantize_dynamic") if node.op == "dequantize" else node
        for node in made.program.nodes
    )
    made = replace(made, program=replace(made.program, nodes=ranged))
    assert reasons(made, "textbook") == [RANGED]


def test_of_one_arithmetic_under_several_names_pytorchs_own_is_told_apart_where_it_knows_more():
    fares = survey(with_unknown_op(recording()), "simulated")
    missing = {name: fare.not_simulated for fare in fares for name in fare.names}
    assert missing.keys() == ARITHMETICS.keys()
    assert (missing["fbgemm-avx2"], missing["x86-avx2"]) == (1, 3)
    (both,) = (fare for fare in survey(recording(), "simulated") if "x86-avx2" in fare.names)
    assert "fbgemm-avx2" in both.names


def test_an_operand_that_two_calls_take_hangs_on_none_that_is_not_before_them():
    """As older recordings have it, which noted it for the later of the two."""
    made = recording()
    fc2 = replace(made.program.nodes[3], inputs=(FIRST_CONSTANT,))
    nodes = (*made.program.nodes[:3], fc2, made.program.nodes[4])
    made = replace(
        made,
        program=replace(made.program, nodes=nodes),
        constants=(made.operand(2),),
        unseen=Unseen({0: (INPUT, 0, 1, 2, 3, 4)}),
    )
    assert reasons(made, "fbgemm-avx2") == []
    trace = Trace(made, ARITHMETICS["textbook"], "simulated")
    assert [c.reason for c in trace.comparisons][2:4] == [None, DERIVED]


def test_a_long_chain_of_calls_that_are_not_simulated_is_gone_through_once():
    made = recording()
    relu, count = with_unknown_op(made).program.nodes[2], 500
    chain = tuple(
        replace(relu, name=f"relu:relu#{call}", inputs=(call - 1, max(call - 2, 0)))
        for call in range(1, count)
    )
    made = replace(
        made,
        program=replace(made.program, nodes=(made.program.nodes[0], *chain)),
        values=(made.values[0], *(made.values[2] for _ in chain)),
    )
    trace = Trace(made, ARITHMETICS["fbgemm-avx2"], "simulated")
    assert [trace.stands(call) for call in (1, count - 1)] == [True, True]
    other = Trace(made, ARITHMETICS["textbook"], "simulated")
    assert other.comparisons[-1].reason == FOLLOWS.format(f"relu:relu#{count - 2}")


def test_a_decision_hangs_on_no_call_after_it():
    made = replace(recording(), unseen=Unseen(decided=((0, (INPUT, 1, 4)),)))
    assert reasons(made, "fbgemm-avx2") == []
