"""Breakpoints say why they stopped, count, and can be switched off; undo goes back."""

from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.arithmetic import rne
from qdbg.core.stage import split, stage
from qdbg.debugger import Debugger
from qdbg.errors import CommandError
from tests.synthetic import recording


@pytest.fixture
def debugger():
    return Debugger(recording(), "textbook")


def run(debugger, *commands):
    for command in commands:
        debugger.execute(command)
    return debugger.step.name, debugger.element


def listed(debugger):
    return [(one.spot, one.enabled, one.hits) for one in debugger.breakpoints.all]


def test_an_expression_stops_at_the_element_that_satisfies_it_and_says_so(debugger):
    c = Debugger(debugger.recording, "textbook").execute("continue").mark.element
    run(debugger, "delete difference", f"break abs(delta) > 0 and c == {c}")
    assert run(debugger, "continue") == ("fc1:linear.clamp", c)
    assert debugger.stop.reason.startswith(
        f"breakpoint 1: abs(delta) > 0 and c == {c}, true for 1 of 16, "
    )


def test_an_expression_stops_in_both_directions(debugger):
    run(debugger, "delete 1", 'break layer == "fc2" and stage == "mac"', "end", "continue-back")
    assert debugger.step.name == "fc2:linear.mac"
    assert run(debugger, "start", "continue")[0] == "fc2:linear.mac"


def test_hits_are_counted_per_breakpoint_and_disabled_ones_do_not_stop(debugger):
    run(debugger, "break fc1.mac", "continue", "start", "continue")
    assert listed(debugger) == [("difference", True, 0), ("fc1.mac", True, 2)]
    run(debugger, "disable 2", "start", "continue")
    assert debugger.step.name == "fc1:linear.clamp"
    run(debugger, "enable fc1.mac", "disable difference", "start", "continue", "continue")
    assert debugger.stop.reason.startswith("end of the run")
    assert listed(debugger) == [("difference", False, 1), ("fc1.mac", True, 3)]
    run(debugger, "delete 1")
    assert listed(debugger) == [("fc1.mac", True, 3)]


def test_a_tie_is_a_value_half_way_before_rounding():
    made = recording()
    debugger = Debugger(made, "textbook")
    run(debugger, "delete 1", "break tie", "continue")
    ties = [
        (i, np.flatnonzero(step.ties))
        for i in range(len(debugger.trace))
        if (step := debugger.trace.step(i)).ties is not None
    ]
    assert {debugger.trace.step(i).stage.name for i, _ in ties} <= {"round", "quantize"}
    expected = next((i for i, found in ties if found.size), len(debugger.trace) - 1)
    assert debugger.stop.mark.step == expected


def test_ties_are_found_where_the_value_is_exactly_on_a_half():
    made = recording()
    scale = float(made.program.nodes[0].output.scale)
    x = np.array([[2.5 * scale, 0.3 * scale, -1.5 * scale, scale]], np.float32)
    debugger = Debugger(replace(made, input=x), "textbook")
    run(debugger, "delete 1", "break tie")
    name, element = run(debugger, "continue")
    assert debugger.step.ties.ravel().tolist() == [True, False, True, False]
    assert (name, element) == ("quant:quantize.round", 0)
    assert debugger.stop.reason == "tie, 2 of 4 lie half-way"


def test_a_stage_of_two_formulas_has_the_ties_of_each_elements_own():
    @stage("round", output="r int [I]", formula="r[i] = rne(s[i])")
    def whole(s):
        """Round."""
        return rne(s)

    @stage("round", output="r int [I]", formula="r[i] = rne(s[i] + 0.25)")
    def shifted(s):
        """Round a quarter more."""
        return rne(s + 0.25)

    both = split("where", whole, shifted)
    s, where = np.array([0.5, 0.5, 0.25, 0.25]), np.array([True, False, True, False])
    assert both.ties({"s": s, "where": where}).tolist() == [True, False, False, True]


def test_a_stage_that_rounds_nothing_has_no_ties(debugger):
    run(debugger, "go fc1.mac")
    assert debugger.step.ties is None


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("break foo > 3", "no name 'foo'"),
        ("break delta >", "no expression"),
        ("break fc9", "no place 'fc9'"),
        ("break delta.real > 2", "cannot stand"),
        ("enable 7", "no breakpoint '7'"),
        ("disable", "which breakpoint"),
        ("delete fc1.mac", "no breakpoint 'fc1.mac'"),
        ("watch fc1", "16 elements"),
        ("watch foo", "cannot be watched"),
        ("watch [99]", "no place"),
    ],
)
def test_a_wrong_breakpoint_changes_nothing_and_is_explained(debugger, command, part):
    before = listed(debugger), debugger.stop, len(debugger.history)
    with pytest.raises(CommandError) as caught:
        debugger.execute(command)
    assert part in caught.value.message
    assert (listed(debugger), debugger.stop, len(debugger.history)) == before


# ----------------------------------------------------------------------------- undo and redo


def test_one_undo_takes_back_one_command_and_redo_makes_it_again(debugger):
    visited = [run(debugger)]
    for command in ("continue", "element 3", "element 4", "go fc2.mac[2]", "end", "start"):
        visited.append(run(debugger, command))
    back = [run(debugger, "undo") for _ in range(len(visited) - 1)]
    assert back == visited[-2::-1]
    assert run(debugger, "undo") == visited[0]
    assert debugger.stop.reason.startswith("nothing to undo")
    assert [run(debugger, "redo") for _ in range(len(visited) - 1)] == visited[1:]
    assert run(debugger, "redo") == visited[-1]
    assert debugger.stop.reason.startswith("nothing to redo")


def test_a_new_movement_ends_what_can_be_redone(debugger):
    run(debugger, "next", "next", "undo", "finish")
    assert debugger.execute("redo").reason.startswith("nothing to redo")


def test_undo_says_what_it_takes_back_and_skips_what_moved_nothing(debugger):
    run(debugger, "next", "mark a", "break fc1.mac", "feed")
    assert debugger.execute("undo").reason == "undo of next"
    assert debugger.stop.mark.step == 0


def test_undo_leads_to_the_end_of_the_layer_where_the_stage_is_gone():
    debugger = Debugger(recording())
    run(debugger, "go fc1.mac[3]", "end", "arithmetic textbook")
    place = run(debugger, "undo")
    assert place == ("fc1:linear.mac", 3)
    run(debugger, "arithmetic auto", "go fc1:linear.centre[2]")
    assert "fc1:linear" in run(debugger, "next", "arithmetic textbook", "undo")[0]
