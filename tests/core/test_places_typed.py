"""What is printed as the place of an element names that element when it is typed."""

from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import Program
from qdbg.debugger import Debugger
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.headless.differences import trace_differences
from qdbg.headless.drill import element_text
from qdbg.places import find_place
from tests.golden.conftest import image_recording
from tests.synthetic import recording


def in_rows(made):
    """The same run, its input and results as one sample of rows."""
    nodes = tuple(replace(n, shape=(1, *n.shape)) for n in made.program.nodes)
    program = Program(nodes, made.program.layers)
    values = tuple(value[None] for value in made.values)
    return replace(made, program=program, values=values, input=made.input[None])


@pytest.mark.parametrize(
    ("made", "other"),
    [
        (image_recording(), "fbgemm-avx2"),
        (recording(rows=3), "textbook"),
        (in_rows(recording(rows=3)), "textbook"),
    ],
)
def test_a_place_that_show_prints_is_the_element_that_it_means(made, other):
    trace = Trace(made, ARITHMETICS[other])
    found = trace_differences(trace)
    assert found
    for call in found:
        for element in call.elements:
            place = find_place(trace, call.place(element))
            step = trace.step(place.step)
            here = step.index_of(place.element)
            assert step.captured[here] == element.captured == made_value(made, call, element)
            assert step.simulated[here] == element.simulated


def made_value(made, call, element):
    """PyTorch's number at its own index."""
    names = [node.name for node in made.program.nodes]
    return made.values[names.index(call.name)][element.index]


def test_the_head_of_an_element_says_in_which_order_its_axes_are():
    trace = Trace(image_recording(), ARITHMETICS["textbook"])
    conv = next(n for n in trace.nodes if n.op.startswith("conv2d"))
    last = ",".join(str(n - 1) for n in conv.shape)
    n, c, h, w = (size - 1 for size in conv.shape)
    assert f"[nhwc {n},{h},{w},{c}]" in element_text(trace, f"{conv.name}[nchw {last}]")
    with pytest.raises(CommandError, match="names no element") as refused:
        element_text(trace, f"{conv.name}[{n},{c + 90},{h},{w}]")
    assert f"[nhwc {n},{h},{w},{c}], in PyTorch's order [nchw {last}]" in str(
        refused.value.expected
    )


def test_a_changed_element_of_a_convolution_reaches_what_follows():
    debugger = Debugger(image_recording())
    conv = next(n for n in debugger.trace.nodes if n.op.startswith("conv2d"))
    call = debugger.trace.nodes.index(conv)
    n, c, h, w = (size - 1 for size in conv.shape)
    before = np.array(debugger.trace.simulation(call).result)
    reason = debugger.execute(f"set {conv.name}[nchw {n},{c},{h},{w}] = 201").reason
    changed = debugger.trace.simulation(call).result
    assert [tuple(i) for i in np.argwhere(changed != before)] == [(n, c, h, w)]
    assert changed[n, c, h, w] == 201
    assert f"[nhwc {n},{h},{w},{c}] = 201" in reason and "nothing changes" not in reason
