"""The debugger moves in both directions and says why it stopped."""

import itertools
from types import SimpleNamespace

import pytest

from qdbg.commands import BY_ID, COMMANDS, GROUPS
from qdbg.debugger import Debugger
from qdbg.errors import CommandError
from qdbg.places import named
from tests.synthetic import recording, with_unknown_op


@pytest.fixture
def debugger():
    return Debugger(recording(), "textbook")


@pytest.fixture
def equal():
    return Debugger(recording())


def place(debugger):
    return debugger.step.name, debugger.element


def run(debugger, *commands):
    for command in commands:
        debugger.execute(command)
    return place(debugger)


def test_auto_simulates_the_captured_engine_and_level(equal):
    assert equal.trace.arithmetic.name == "fbgemm-avx2"
    assert equal.trace.differences == 0


def test_stepping_forward_visits_every_step_and_backward_all_of_them_again(equal):
    names = [equal.step.name]
    while equal.execute("next").reason != "end of the run":
        names.append(equal.step.name)
    back = [equal.step.name]
    while equal.execute("back").reason != "start of the run":
        back.append(equal.step.name)
    assert names == [equal.trace.step(i).name for i in range(len(equal.trace))]
    assert back == names[::-1]


def test_continue_stops_at_the_first_difference_and_names_how_many_differ(debugger):
    stop = debugger.execute("continue")
    assert debugger.step.name == "fc1:linear.clamp"
    assert stop.reason == f"difference, {debugger.step.differences} of 16 differ"
    assert debugger.step.different.ravel()[debugger.element]


def test_why_it_stopped_stays_while_elements_of_the_step_are_selected(debugger):
    start = debugger.why
    run(debugger, "element 1")
    assert debugger.why == start
    run(debugger, "continue")
    reason = debugger.why
    run(debugger, "element 0", "element 2")
    assert debugger.why == reason != debugger.stop.reason
    run(debugger, "next")
    assert debugger.why == debugger.stop.reason


def test_continue_without_a_difference_runs_to_the_end(equal):
    assert equal.execute("continue").reason == "end of the run"
    assert equal.stop.mark.step == len(equal.trace) - 1


def test_next_difference_visits_each_different_element_once_and_comes_back(debugger):
    forward = []
    while not debugger.execute("next-difference").reason.startswith("no further"):
        forward.append(place(debugger))
    backward = [place(debugger)]
    while not debugger.execute("previous-difference").reason.startswith("no further"):
        backward.append(place(debugger))
    assert len(forward) == len(set(forward)) == debugger.trace.differences
    assert backward == forward[::-1]


def test_next_saturation_finds_the_elements_whose_pairs_saturate(equal):
    equal.execute("next-saturation")
    assert equal.step.name == "fc1:linear.mac"
    assert equal.step.cut.ravel()[equal.element] != 0
    assert "saturate" in equal.stop.reason


def test_finish_goes_to_the_end_of_each_layer_and_back(equal):
    ends = [run(equal, "finish")[0] for _ in range(5)]
    assert ends == [
        "quant:quantize.clamp", "fc1:linear.clamp", "relu:relu.relu",
        "fc2:linear.clamp", "dequant:dequantize.dequantize",
    ]  # fmt: skip
    assert [run(equal, "finish-back")[0] for _ in range(4)] == ends[-2::-1]


def test_a_breakpoint_at_a_place_stops_in_both_directions(equal):
    run(equal, "break fc2.mac[2]")
    assert run(equal, "continue") == ("fc2:linear.mac", 2)
    assert equal.stop.reason.startswith("breakpoint 2 at fc2.mac[2]")
    run(equal, "end")
    assert run(equal, "continue-back") == ("fc2:linear.mac", 2)


def test_the_same_breakpoint_command_clears_it(equal):
    run(equal, "break fc1.mac", "break fc1.mac")
    assert equal.breakpoints.spots == ("difference",)


def test_a_saturation_breakpoint_makes_continue_stop_there(equal):
    run(equal, "break saturation")
    assert run(equal, "continue")[0] == "fc1:linear.mac"


def test_the_element_stays_where_the_shape_stays_and_returns_with_its_shape(equal):
    assert run(equal, "go fc1.mac", "element 9", "next", "next") == ("fc1:linear.bias", 9)
    assert run(equal, "go fc2.mac", "element 2", "go fc1.bias") == ("fc1:linear.bias", 9)


def test_marks_lead_back_under_another_arithmetic(equal):
    run(equal, "go fc1.bias[7]", "mark q", "end", "arithmetic textbook")
    assert run(equal, "go 'q") == ("fc1:linear.bias", 7)


def test_feeding_simulated_integers_lets_differences_propagate():
    made = recording()
    isolated = Debugger(made, "textbook").trace.comparisons
    fed = Debugger(made, "textbook", "simulated").trace.comparisons
    assert isolated[2].differences == 0  # ReLU alone, on PyTorch's own integers
    assert fed[2].differences > 0


def test_changing_the_arithmetic_keeps_the_place(debugger):
    run(debugger, "go fc1.clamp[3]")
    assert run(debugger, "arithmetic auto") == ("fc1:linear.clamp", 3)


def test_a_call_that_is_not_simulated_is_one_step_with_its_reason():
    debugger = Debugger(with_unknown_op(recording()))
    run(debugger, "go relu")
    assert debugger.step.name == "relu:relu.result"
    assert "not simulated: qdbg does not know the arithmetic of aten.sigmoid" in (
        debugger.execute("go relu").reason
    )
    assert debugger.trace.exit_status == 3


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("fly", "no debugger command 'fly'"),
        ("next 3", "next takes no argument"),
        ("element 16", "not an element"),
        ("element -1", "not an element"),
        ("go fc9", "no place 'fc9'"),
        ("go fc1.mac[99]", "no place"),
        ("go fc1.mac[", "no place"),
        ("go", "no place ''"),
        ("go 'z", "no mark 'z'"),
        ("mark ab", "no name for a mark"),
        ("mark", "no name for a mark"),
        ("break nowhere", "no place"),
        ("arithmetic fbgemm", "no arithmetic 'fbgemm'"),
        ("feed me", "no feed"),
        ("", "no debugger command"),
    ],
)
def test_a_wrong_command_changes_nothing_and_says_what_would_be_right(debugger, command, part):
    run(debugger, "go fc1.clamp[3]")
    before = debugger.stop, len(debugger.history)
    with pytest.raises(CommandError, match=None) as caught:
        debugger.execute(command)
    assert part in caught.value.message
    assert (debugger.stop, len(debugger.history)) == before


def calls_of(*calls):
    """What is named of a run in which layers are called: `lstm:ih_l0`."""
    return SimpleNamespace(
        nodes=[SimpleNamespace(name=call, layer=call.partition(":")[0]) for call in calls]
    )


def test_a_place_that_is_missing_is_told_each_call_by_a_name_of_its_own():
    assert named(calls_of("lstm:ih_l0", "lstm:hh_l0", "fc:linear")) == [
        "lstm:ih_l0",
        "lstm:hh_l0",
        "fc",
    ]
    many = named(calls_of(*(f"layer{n}:linear" for n in range(40))), "layer17.mac")
    assert "layer17" in many
    assert len(many) < 20
    assert many[-1].endswith("more")


def test_the_history_replayed_leads_to_the_same_stops(debugger):
    run(debugger, "continue", "next-difference", "element 1", "element 5", "mark a", "feed",
        "break fc2.mac", "continue", "arithmetic auto", "continue-back", "go 'a")  # fmt: skip
    again = Debugger(debugger.recording, "textbook")
    run(again, *[done.command for done in debugger.history])
    assert again.history == debugger.history


def test_every_recorded_command_of_the_table_runs():
    arguments = {"go": "fc1", "element": "0", "break": "", "mark": "a", "arithmetic": "auto",
                 "enable": "1", "disable": "1", "delete": "1"}  # fmt: skip
    arguments |= {"set": "fc1.b[0] = 1"}
    for command in BY_ID.values():
        if command.recorded:
            made = Debugger(recording())
            if command.id in {"unset", "original"}:
                made.execute("set fc1.b[0] = 1")
            assert made.execute(f"{command.id} {arguments.get(command.id, '')}").reason


TWINS = {
    "next": "back", "finish": "finish-back", "continue": "continue-back", "end": "start",
    "next-difference": "previous-difference", "next-saturation": "previous-saturation",
    "next-layer-difference": "previous-layer-difference", "redo": "undo",
}  # fmt: skip


def test_every_forward_movement_has_its_backward_twin():
    moves = [c.id for c in COMMANDS if c.group == "Move in time" and c.recorded]
    alone = {"go", "origin", "largest-difference"}  # an undo takes them back
    assert set(moves) - alone == {*TWINS, *TWINS.values()}


@pytest.mark.parametrize(("forward", "backward"), TWINS.items())
def test_the_twin_comes_back_at_the_same_granularity(forward, backward):
    debugger = Debugger(recording(), "textbook", "simulated")
    if forward == "redo":
        run(debugger, "next", "next", "undo", "undo")
    visited = [place(debugger), run(debugger, forward), run(debugger, forward)]
    back = [run(debugger, backward)]
    assert back[0] == visited[0 if visited[1] == visited[2] else 1]


def test_no_key_means_two_things():
    keys = list(itertools.chain.from_iterable(command.keys for command in COMMANDS))
    assert len(keys) == len(set(keys))


def test_every_command_stands_in_a_group_of_the_help_screen():
    assert {command.group for command in COMMANDS} == set(GROUPS)
