"""An element's origins are the elements that it is computed from, across stages and calls."""

from dataclasses import replace

import pytest

from qdbg.debugger import Debugger
from qdbg.engine.origin import origins
from tests.images import Conv
from tests.images import recording as image_recording
from tests.synthetic import recording, with_unknown_op


def run(debugger, *commands):
    for command in commands:
        debugger.execute(command)
    return debugger.step.name, debugger.element


@pytest.fixture(scope="module")
def made():
    return recording(rows=2)


def found(debugger):
    return origins(debugger.trace, debugger.step, debugger.element)


def test_from_the_byte_back_to_the_models_input(made):
    debugger = Debugger(made, "textbook")
    run(debugger, "go fc1.clamp[1,3]")
    visited = []
    while "model's input" not in debugger.execute("origin").reason:
        visited.append(debugger.step.name)
    assert visited == [
        "fc1:linear.zero_point", "fc1:linear.round", "fc1:linear.requantize", "fc1:linear.bias",
        "fc1:linear.mac", "fc1:linear.centre", "quant:quantize.clamp", "quant:quantize.zero_point",
        "quant:quantize.round", "quant:quantize.quantize",
    ]  # fmt: skip
    k = debugger.element % 4
    assert debugger.element == 4 + k
    assert f"the model's input, [1,{k}] = {made.input[1, k]!s}" in debugger.stop.reason


def test_a_sums_origins_are_its_inputs_the_largest_contribution_first(made):
    debugger = Debugger(made, "textbook")
    run(debugger, "go fc2.mac[1,2]")
    sources = found(debugger)
    added = [one.contribution for one in sources]
    assert len(sources) == 16
    assert added == sorted(added, key=lambda each: -abs(each))
    assert sum(added) == debugger.step.simulated[1, 2]
    weights = made.program.layers["fc2"].weight.q[2]
    assert sorted(int(one.weight) for one in sources) == sorted(weights.tolist())
    assert run(debugger, "origin 5") == ("fc2:linear.centre", sources[4].element)
    assert "5 of 16, it adds " in debugger.stop.reason


def test_taking_an_input_away_takes_its_contribution_from_the_sum(made):
    debugger = Debugger(made, "textbook")
    run(debugger, "go fc2.mac[0,1]")
    acc = debugger.step.simulated[0, 1]
    for one in found(debugger)[:3]:
        values = [value.copy() for value in made.values]
        values[2][0, one.element] = made.program.layers["fc1"].output.zero_point
        less = Debugger(replace(made, values=tuple(values)), "textbook")
        run(less, "go fc2.mac[0,1]")
        assert acc - less.step.simulated[0, 1] == one.contribution


def test_an_undo_comes_back_from_an_origin(made):
    debugger = Debugger(made, "textbook")
    before = run(debugger, "go fc1.mac[0,7]")
    assert run(debugger, "origin", "undo") == before


@pytest.mark.parametrize("arithmetic", ["fbgemm-avx2", "textbook"])
@pytest.mark.parametrize("conv", [Conv(), Conv(groups=3, outputs=6, stride=2, samples=1)])
def test_a_windows_origins_are_pixels_of_the_image_and_padding(conv, arithmetic):
    debugger = Debugger(image_recording(conv), arithmetic)
    trace = debugger.trace
    mac = next(i for i in range(len(trace)) if trace.step(i).name.endswith(".mac"))
    step = trace.step(mac)
    element = step.size // 2 if conv.samples == 1 else 0
    n, h, w, c = step.index_of(element)
    sources = origins(trace, step, element)
    while all(
        source.step is None or source.place.split("[")[0].endswith("centre") for source in sources
    ):
        sources = [
            origins(trace, trace.step(s.step), s.element)[0] if s.step is not None else s
            for s in sources
        ]
    pixels = [s for s in sources if s.step is not None]
    for source in pixels:
        target = trace.step(source.step)
        assert source.value == str(target.shown.ravel()[source.element])
        place = target.index_of(source.element)
        assert place[0] == n
        assert place[1] // max(1, conv.inputs // conv.groups) == c * conv.groups // conv.outputs
        for axis, out in ((2, h), (3, w)):
            assert abs(place[axis] - (out * conv.stride - conv.padding + 1)) <= 1
    per_channel = conv.inputs // conv.groups
    inside = [
        sum(0 <= out * conv.stride - conv.padding + k < size for k in range(3))
        for out, size in zip((h, w), conv.size, strict=True)
    ]
    assert len(pixels) == inside[0] * inside[1] * per_channel
    assert len({source.element for source in pixels}) == len(pixels)


def test_a_call_that_is_not_simulated_leads_to_the_call_before():
    debugger = Debugger(with_unknown_op(recording()))
    run(debugger, "go relu")
    assert run(debugger, "origin")[0] == "fc1:linear.clamp"
