"""Numbers of a run are changed; what follows is what the changed model would give."""

import re
from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import Program, Unseen
from qdbg.core.quantity import QParams
from qdbg.debugger import Debugger
from qdbg.engine.computation import computation
from qdbg.engine.explain import explain
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.session import Session, load, save
from qdbg.whatif import not_known
from tests.synthetic import recording, with_unknown_op


@pytest.fixture(scope="module")
def made():
    return recording()


@pytest.fixture
def debugger(made):
    return Debugger(made)


def results(trace):
    return [trace.simulation(call).result for call in range(len(trace.nodes))]


def other_model(made, changed_layer=None, **fields):
    """The same run as if the file or the input had held other numbers."""
    layers = dict(made.program.layers)
    if changed_layer is not None:
        layers[changed_layer.path] = changed_layer
    changed = replace(made, program=Program(made.program.nodes, layers), **fields)
    return results(Trace(changed, ARITHMETICS["fbgemm-avx2"], "simulated"))


def same(debugger, expected):
    return all(map(np.array_equal, results(debugger.trace), expected))


def with_one(array, index, value):
    found = np.array(array)
    found[index] = value
    return found


def test_a_changed_weight_gives_what_a_model_with_that_weight_gives(debugger, made):
    debugger.execute("set fc1.w[8,3] = -12")
    fc1 = made.program.layers["fc1"]
    weight = replace(fc1.weight, q=with_one(fc1.weight.q, (8, 3), -12))
    assert same(debugger, other_model(made, replace(fc1, weight=weight)))


def test_a_changed_bias_and_weight_scale_do_too(debugger, made):
    debugger.execute("set fc1.b[2] = 1.5")
    debugger.execute("set fc1.w_scale[2] = 0.5")
    fc1 = made.program.layers["fc1"]
    params = replace(fc1.weight.qparams, scale=with_one(fc1.weight.qparams.scale, 2, 0.5))
    changed = replace(
        fc1, bias=with_one(fc1.bias, 2, 1.5), weight=replace(fc1.weight, qparams=params)
    )
    assert same(debugger, other_model(made, changed))


def test_a_changed_input_does_too(debugger, made):
    debugger.execute("set input[2] = 3.25")
    assert same(debugger, other_model(made, input=with_one(made.input, (0, 2), 3.25)))


def test_a_changed_scale_is_the_one_of_every_call_that_passes_it_on(debugger, made):
    debugger.execute("set relu.y_scale = 0.125")
    nodes = [
        replace(n, output=QParams.per_tensor(0.125, 128)) if n.layer in {"fc1", "relu"} else n
        for n in made.program.nodes
    ]
    changed = replace(made, program=Program(tuple(nodes), made.program.layers))
    assert debugger.changes[0].spot.name == "fc1.y_scale"
    assert same(debugger, results(Trace(changed, ARITHMETICS["fbgemm-avx2"], "simulated")))


def test_a_changed_integer_of_a_result_is_fed_to_the_calls_after_it(debugger, made):
    debugger.execute("set relu[5] = 255")
    relu = debugger.trace.simulation(2)
    assert relu.result[0, 5] == 255
    assert debugger.trace.call(3).inputs[0].q[0, 5] == 255
    assert results(debugger.trace)[1].tolist() == made.values[1].tolist()
    assert debugger.trace.changed[:3] == (0, 0, 1)


def test_the_arithmetic_of_the_whole_run_is_changed_like_a_number(debugger, made):
    debugger.execute("set arithmetic = textbook")
    expected = results(Trace(made, ARITHMETICS["textbook"], "simulated"))
    assert same(debugger, expected)
    assert debugger.trace.original.arithmetic.name == "fbgemm-avx2"


def test_the_original_run_is_one_command_away_and_back(debugger):
    debugger.execute("set fc1.b[0] = 2")
    changed = results(debugger.trace)
    debugger.execute("original")
    assert (debugger.trace.feed, debugger.trace.original) == ("captured", None)
    assert debugger.trace.differences == 0
    assert debugger.execute("original").reason.startswith("what if fc1.b[0] = 2")
    assert same(debugger, changed)


def test_only_what_changed_is_marked(debugger, made):
    debugger.execute("set fc1.b[0] = 2")
    debugger.execute("go fc1")
    step = debugger.step
    assert np.flatnonzero(step.changed).tolist() == [0]
    assert step.original.tolist() == made.values[1].tolist()
    assert np.array_equal(step.captured, made.values[1])


def test_changes_are_taken_back_last_first_by_name_or_all(debugger):
    for command in ("set fc1.b[0] = 2", "set fc1.b[1] = 2", "set fc1.b[2] = 2"):
        debugger.execute(command)
    debugger.execute("unset")
    debugger.execute("unset fc1.b[0]")
    assert [change.spot.name for change in debugger.changes] == ["fc1.b[1]"]
    debugger.execute("unset all")
    assert debugger.changes == ()
    assert (debugger.trace, debugger.trace.feed) == (debugger.unchanged, "captured")


def test_setting_a_number_to_what_it_was_is_no_change(debugger, made):
    weight = int(made.program.layers["fc1"].weight.q[8, 3])
    debugger.execute("set fc1.w_q[8,3] = 5")
    debugger.execute(f"set fc1.w_q[8,3] = {weight}")
    assert debugger.changes == ()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("set fc1.w[8,3] = 128", "whole number from -128 to 127"),
        ("set fc1.w[8,3] = 1.5", "whole number from -128 to 127"),
        ("set relu[5] = 256", "whole number from 0 to 255"),
        ("set fc1.y_zp = -1", "whole number from 0 to 255"),
        ("set fc1.y_scale = nan", "a scale is positive"),
        ("set fc1.y_scale = 0", "a scale is positive"),
        ("set fc1.w_scale[1] = -0.5", "a scale is positive"),
        ("set fc1.b[0] = inf", "finite"),
        ("set input[0,0] = 1e39", "finite"),
        ("set fc1.w[16,0] = 1", "up to [15,3] (16×4)"),
        ("set fc1.w[3] = 1", "up to [15,3] (16×4)"),
        ("set fc1.mac[3] = 1", "follows from the numbers before it"),
        ("set relu.w[3] = 1", "has no w_q"),
        ("set fc9.b[3] = 1", "there is no number"),
        ("set arithmetic = none", "there is no arithmetic"),
        ("set fc1.b[3]", "changes nothing"),
        ("set", "changes nothing"),
        ("unset", "nothing is changed"),
        ("original", "nothing is changed"),
    ],
)
def test_what_cannot_stand_there_is_refused_in_words_and_changes_nothing(debugger, command, words):
    before = debugger.trace
    with pytest.raises(CommandError, match=re.escape(words)):
        debugger.execute(command)
    assert (debugger.trace, debugger.changes) == (before, ())


def test_a_number_that_is_not_there_is_refused_with_the_names_of_this_net(made):
    known = made.program
    nodes = tuple(
        replace(
            node, name=node.name.replace("fc1", "left"), layer=node.layer.replace("fc1", "left")
        )
        for node in known.nodes
    )
    layers = {**known.layers, "left": replace(known.layers["fc1"], path="left")}
    debugger = Debugger(replace(made, program=Program(nodes, layers)))
    with pytest.raises(CommandError) as caught:
        debugger.execute("set right.x_q[0] = 1")
    assert caught.value.expected == (
        "input[i], left.w_q[c,k], left.b[c], left.w_scale[c], left.y_scale, left.y_zp, left[c],"
        " arithmetic"
    )


def test_captured_integers_are_not_fed_to_a_changed_run(debugger):
    debugger.execute("set fc1.b[0] = 2")
    assert debugger.trace.feed == "simulated"
    with pytest.raises(CommandError, match="PyTorch did not run this"):
        debugger.execute("feed captured")


def test_what_follows_a_changed_call_that_is_not_simulated_is_not_claimed(made):
    debugger = Debugger(with_unknown_op(made))
    stop = debugger.execute("set fc1.b[0] = 2")
    assert debugger.trace.changed[1] == 1
    assert debugger.trace.changed[2:] == (None, None, None)
    assert "3 calls are not simulated" in stop.reason


def test_a_change_of_another_arithmetic_stays_when_the_arithmetic_is_chosen(debugger, made):
    debugger.execute("set input[2] = 3.25")
    debugger.execute("arithmetic textbook")
    changed = replace(made, input=with_one(made.input, (0, 2), 3.25))
    assert same(debugger, results(Trace(changed, ARITHMETICS["textbook"], "simulated")))


def test_changes_are_saved_and_replayed_with_what_they_did(debugger, tmp_path):
    debugger.execute("set fc1.w[8,3] = -12")
    stop = debugger.execute("set input[2] = 3.25")
    save(Session.of(debugger), tmp_path / "changed.qdbg")
    again, outcomes = load(tmp_path / "changed.qdbg").rerun()
    assert again.changes == debugger.changes
    assert same(again, results(debugger.trace))
    assert outcomes[-1].now.reason == stop.reason
    assert np.array_equal(again.recording.values[1], debugger.recording.values[1])


def test_an_older_recording_says_that_it_does_not_tell_of_decisions(made):
    for unseen, words in ((Unseen(), ""), (None, "record it again")):
        debugger = Debugger(replace(made, unseen=unseen))
        debugger.execute("set fc1.b[0] = 9")
        assert not_known(debugger.trace).endswith(words)
        assert bool(not_known(debugger.trace)) == bool(words)


def test_the_equation_of_a_replaced_integer_says_what_it_would_be(debugger):
    debugger.execute("go fc1.clamp[3]")
    before = debugger.step.simulated.flat[3]
    debugger.execute("set fc1[3] = 99")
    step = debugger.trace.step(debugger.step.index)
    line = explain(step, 3)[0].numbers
    assert line.endswith(f" = {before}, replaced by 99")
    assert ", replaced by" not in explain(step, 4)[0].numbers
    with pytest.raises(CommandError, match="put in by a what-if"):
        computation(debugger.trace, step, 3)


def with_two_calls_of_a_layer(made):
    """The same where the ReLU belongs to the first Linear, as linear parts belong to an LSTM."""
    nodes = tuple(
        replace(n, name="fc1:relu", layer="fc1") if n.op == "relu" else n
        for n in made.program.nodes
    )
    return replace(made, program=Program(nodes, made.program.layers))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("fc1[0] = 3", "fc1:linear[0] = 3"),
        ("fc1:relu[0] = 3", "fc1:relu[0] = 3"),
        ("fc1.y_zp = 3", "fc1:linear.y_zp = 3"),
        ("fc1.b[0] = 3", "fc1.b[0] = 3.0"),
    ],
)
def test_a_result_is_called_by_its_calls_own_name_where_the_layer_has_several(made, typed, said):
    debugger = Debugger(with_two_calls_of_a_layer(made))
    debugger.execute(f"set {typed}")
    assert [change.text for change in debugger.changes] == [said]


def with_a_dynamic_linear(made):
    """The same, with a dynamic Linear on the float32 result, whose scale it chooses itself."""
    fc2 = made.program.layers["fc2"]
    small = replace(fc2.weight, q=fc2.weight.q[:, :3])
    layer = replace(fc2, path="fc3", weight=small, output=None)
    node = replace(
        made.program.nodes[-1],
        name="fc3:linear_dynamic",
        op="linear_dynamic",
        layer="fc3",
        inputs=(len(made.program.nodes) - 1,),
        settings={"reduce_range": True},
    )
    program = Program((*made.program.nodes, node), made.program.layers | {"fc3": layer})
    return replace(made, program=program, values=(*made.values, made.values[-1]))


@pytest.mark.parametrize("symbol", ["x_scale", "x_zp"])
def test_a_dynamic_layers_parameters_follow_from_its_input(made, symbol):
    debugger = Debugger(with_a_dynamic_linear(made))
    found = f"fc3:linear_dynamic has no {symbol} that can be changed: it follows from its input"
    with pytest.raises(CommandError, match=found):
        debugger.execute(f"set fc3.{symbol} = 3")


def test_a_float32_operand_has_no_parameters(debugger):
    found = "quant:quantize has no x_scale that can be changed: its operand is not quantized"
    with pytest.raises(CommandError, match=found):
        debugger.execute("set quant.x_scale = 3")
