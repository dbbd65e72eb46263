"""What is written down, under which name, and that writing it down changes nothing."""

from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import nn
from torch.ao.nn import quantized as nnq

from qdbg.capture.again import Again
from qdbg.capture.rebuild import rebuild
from qdbg.capture.run import prepare, watch
from qdbg.capture.tape import Tape
from qdbg.core.op import Call
from qdbg.core.program import FIRST_CONSTANT, INPUT
from qdbg.engine.simulate import simulate
from qdbg.errors import CaptureError
from qdbg.reader import find_forward
from tests.capture.torch_models import decoded, linear, quantize, sequence
from tests.released import HERE

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes

X = torch.linspace(-6, 6, 12).reshape(3, 4)


def silent(text):
    del text


class Script:
    """A forward as the reader gives it: what to do with the backend, line by line."""

    trusted = False

    def __init__(self, steps):
        self._steps = steps

    def run(self, backend, inputs):
        return self._steps(backend, *inputs)


def chain(*paths):
    def steps(backend, x):
        for number, path in enumerate(paths, start=1):
            backend.enter_line(f"net.py:{number}")
            x = backend.call_layer(path, (x,), {})
        return x

    return Script(steps)


def taped(root, script, fed=X):
    model = decoded(root)
    backend, modules, run, line_of = prepare(model, script)
    with torch.inference_mode():
        tape = Tape(modules, fed, silent, line_of, model.layers)
        same = watch(run, backend, tape, fed, silent)
    return tape, same


def names(tape):
    return [node.name for node in tape.nodes]


def test_every_value_is_what_torch_gives_layer_by_layer():
    root = sequence(linear(4, 5, relu=True), linear(5, 3, per_channel=False, bias=False))
    tape, same = taped(root, chain("0", "1", "2", "3"))
    x = X
    for module, node, value in zip(root, tape.nodes, tape.values, strict=True):
        x = module(x)
        assert np.array_equal((x.int_repr() if x.is_quantized else x).numpy(), value)
        if x.is_quantized:
            assert (x.q_scale(), x.q_zero_point()) == (node.output.scale, node.output.zero_point)
    assert [node.op for node in tape.nodes] == ["quantize", "linear_relu", "linear", "dequantize"]
    assert [node.source for node in tape.nodes] == [f"net.py:{n}" for n in (1, 2, 3, 4)]
    assert same


def test_an_in_place_relu_does_not_change_what_was_recorded_before_it():
    root = sequence(linear(4, 5), nn.ReLU(inplace=True))
    tape, _ = taped(root, chain("0", "1", "2", "3"))
    before, after = tape.values[1], tape.values[2]
    assert (before < 97).any()
    assert np.array_equal(np.maximum(before, 97), after)
    assert [node.inputs for node in tape.nodes] == [(INPUT,), (0,), (1,), (2,)]


def test_the_second_call_of_a_layer_gets_a_number():
    root = sequence(linear(4, 4))
    tape, _ = taped(root, chain("0", "1", "1", "1", "2"))
    assert names(tape)[1:4] == ["1:linear", "1#2:linear", "1#3:linear"]


def test_functions_called_by_forward_itself_are_numbered_too():
    def steps(backend, x):
        x = backend.call_layer("0", (x,), {})
        x = backend.call_function("torch.relu", (x,), {})
        x = backend.call_function("torch.nn.functional.relu", (x,), {})
        return backend.call_method(x, "dequantize", (), {})

    tape, _ = taped(sequence(), Script(steps))
    wanted = ["0:quantize", "forward:relu", "forward:relu#2", "forward:dequantize"]
    assert names(tape) == wanted


def test_functions_in_a_block_carry_its_path_and_its_callers_line_comes_back():
    def steps(backend, x):
        backend.enter_line("net.py:1")
        x = backend.call_layer("0", (x,), {})
        backend.enter_layer("block")
        backend.enter_line("net.py:9")
        x = backend.call_function("torch.relu", (x,), {})
        backend.leave_layer()
        return backend.call_function("torch.relu", (x,), {})

    tape, _ = taped(sequence(), Script(steps))
    assert names(tape)[1:] == ["block:relu", "forward:relu"]
    assert [node.source for node in tape.nodes[1:]] == ["net.py:9", "net.py:1"]


@pytest.mark.parametrize("module", [nn.Identity(), nn.Dropout(0.5), nnq.Dropout(0.5)])
def test_a_layer_that_hands_on_its_input_is_a_call_of_its_own(module):
    tape, _ = taped(sequence(module), chain("0", "1", "2"))
    assert names(tape) == ["0:quantize", "1:identity", "2:dequantize"]
    assert [node.inputs for node in tape.nodes] == [(INPUT,), (0,), (1,)]
    assert np.array_equal(tape.values[0], tape.values[1])


def test_an_op_that_is_not_simulated_is_recorded_under_the_dispatchers_name():
    def steps(backend, x):
        x = backend.call_layer("0", (x,), {})
        return backend.call_method(x, "topk", (2,), {})[0]

    tape, _ = taped(sequence(), Script(steps))
    assert (tape.nodes[1].op, tape.nodes[1].name) == ("aten.topk", "forward:aten.topk")


def test_a_nested_sequential_names_its_inner_layers():
    root = sequence(nn.Sequential(linear(4, 3), nn.ReLU()))
    tape, _ = taped(root, find_forward(decoded(root), None))
    assert names(tape)[1:3] == ["1.0:linear", "1.1:relu"]


def test_an_operand_that_no_call_made_is_kept_as_a_constant():
    constant = quantize()(torch.ones(3, 4))

    def steps(backend, x):
        backend.call_layer("0", (x,), {})
        return backend.call_function("torch.relu", (constant,), {})

    tape, _ = taped(sequence(), Script(steps))
    assert tape.nodes[1].inputs == (FIRST_CONSTANT,)
    assert np.array_equal(tape.constants[0].q, constant.int_repr().numpy())


def test_a_run_that_comes_out_differently_is_not_called_unperturbed():
    runs = []

    def steps(backend, x):
        runs.append(1)
        return backend.call_layer("0", (x + len(runs),), {})

    assert not taped(sequence(), Script(steps))[1]


@pytest.mark.parametrize(("more", "repeatable"), [(0.0, False), (1.0, True)])
def test_a_call_that_gives_another_result_on_the_same_operands_is_marked(more, repeatable):
    layer = nnq.Conv2d(2, 3, 1)
    x = torch.quantize_per_tensor(torch.randn(1, 2, 4, 4), 0.1, 100, torch.quint8)
    with torch.no_grad():
        with Tape({"conv": layer}, torch.empty(0), str) as tape:
            layer(x)
        with Again(tape):
            layer(x)
        assert tape.nodes[0].repeatable
        tape.values[0] = tape.values[0] ^ 1  # as a kernel gives that reads what nobody wrote
        other = torch.quantize_per_tensor(x.dequantize() + more, 0.1, 100, torch.quint8)
        with Again(tape):
            layer(other)
    assert tape.nodes[0].repeatable == repeatable


def test_every_kind_of_call_is_compared_with_the_next_run_as_long_as_that_is_the_same():
    x = torch.quantize_per_tensor(torch.randn(2, 3), 0.1, 100, torch.quint8)

    def run(*functions):
        return [function(x) for function in functions]

    with Tape({}, torch.empty(0), str) as tape:
        run(torch.relu, torch.flatten, torch.tanh)
    tape.values[2] = tape.values[2] ^ 1
    with Again(tape):
        run(torch.relu, torch.tanh, torch.flatten)
    assert all(node.repeatable for node in tape.nodes)
    with Again(tape):
        run(torch.relu, torch.flatten, torch.tanh)
    assert [node.op for node in tape.nodes if not node.repeatable] == ["tanh"]


def test_recording_leaves_no_hooks_behind():
    modules = rebuild(decoded(sequence(linear(4, 4))))
    with Tape(modules, X, silent):
        pass
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in modules.values())


def test_a_wrong_shape_is_told_with_the_call_the_line_and_what_fits():
    with pytest.raises(CaptureError) as caught:
        taped(sequence(linear(7, 3)), chain("0", "1"))
    assert caught.value.found.startswith("net.py:2: layer 1 is given a value of shape [")
    assert caught.value.expected == "[N, 7]"


def test_what_torch_refuses_is_told_in_its_words_with_the_call_and_the_line():
    with pytest.raises(CaptureError) as caught:
        taped(sequence(nn.Flatten(start_dim=5)), chain("0", "1"))
    assert caught.value.found.startswith("PyTorch could not run ")
    assert "net.py:2: " in caught.value.found
    assert "\n" not in caught.value.found


@pytest.mark.parametrize(("layer", "shape"), [(nnq.Conv2d, [3, 5, 4]), (nnq.Conv1d, [3, 5])])
def test_an_input_without_the_axis_of_samples_is_told_to_add_it(layer, shape):
    net, fed, backend = nn.Sequential(quantize(), layer(3, 2, 1)), torch.ones(shape), Mock()
    with torch.inference_mode(), pytest.raises(CaptureError) as caught:
        watch(net, backend, Tape({}, fed, silent), fed, silent)
    assert f"has the shape {shape}. Add the batch axis in front" in caught.value.remedy
    assert caught.value.remedy.endswith(f"{[1, *shape]}.")


def test_an_unknown_function_is_refused_by_name():
    def steps(backend, x):
        return backend.call_function("torch.no_such_thing", (x,), {})

    with pytest.raises(CaptureError, match=r"no function torch\.no_such_thing"):
        taped(sequence(), Script(steps))


@pytest.mark.parametrize("name", ["mul", "mul_relu", "add", "add_relu"])
def test_a_number_in_the_place_of_a_tensor_is_simulated_as_such(name):
    """FX-converted nets call `quantized::mul.Scalar` for x * 0.5, not `quantized::mul_scalar`."""
    x = torch.quantize_per_tensor(X, 0.1, 60, torch.quint8)
    tape = Tape({}, X, silent)
    with torch.inference_mode(), tape:
        getattr(torch.ops.quantized, name)(x, -0.7)
    (node,), (captured,) = tape.nodes, tape.values
    assert node.op == name.replace("_relu", "") + "_scalar" + "_relu" * name.endswith("_relu")
    simulated = simulate(Call(node, None, (tape.constants[0],)), HERE["fbgemm-avx2"])
    assert np.array_equal(simulated.result, captured)


def test_what_no_recording_holds_is_written_down_for_the_self_test():
    """It compares what infinite numbers give too: only a recording is refused."""
    x = torch.tensor([float("-inf"), 1.0, 2.0])
    tape = Tape({}, X, silent)
    with torch.inference_mode(), tape:
        torch.quantize_per_tensor_dynamic(x, torch.qint8, reduce_range=False)
    (node,), (captured,) = tape.nodes, tape.values
    assert np.isinf(node.output.scale)
    assert captured.shape == (3,)
