"""A call simulated part by part gives what it gives with all its numbers kept."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qdbg.core.op import Call, NotSimulated
from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import Layer, Node
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine import calls
from qdbg.engine.simulate import parts, planned, result_of, simulate
from qdbg.engine.trace import Trace
from qdbg.ops._windows import Windows
from tests.synthetic import recording

ARITHMETIC = ["fbgemm-avx2", "onednn-avx2", "onednn-vnni", "qnnpack-vnni", "textbook"]


@given(st.lists(st.integers(0, 6), max_size=4), st.integers(0, 60))
def test_parts_cover_each_place_once_and_keep_to_the_room(shape, room):
    seen, cut = np.zeros(shape, int), list(parts(tuple(shape), room))
    assert cut  # an empty result has one empty part
    for index in cut:
        assert seen[index].size <= max(1, room)
        seen[index] += 1
    assert np.all(seen == 1)


def image(random, shape, zero_point=7, *, last=True):
    q = random.integers(0, 256, shape).astype(np.uint8)
    if last:
        q = np.moveaxis(np.ascontiguousarray(np.moveaxis(q, 1, -1)), -1, 1)
    return QTensor(q, QParams.per_tensor(0.02, zero_point), tuple(s for s in q.strides))


def convolution(random, form, out=(2, 5, 4), **image_is):
    channels, outputs, groups, size = form
    n, height, width = out
    x = image(random, (n, channels, height, width), **image_is)
    w = random.integers(-128, 128, (outputs, channels // groups, size, size)).astype(np.int8)
    scale = random.uniform(0.001, 0.01, outputs)
    held = QTensor(w, QParams(scale, np.zeros(outputs, np.int64), "qint8", 0))
    settings = {"stride": 1, "padding": size // 2, "dilation": 1, "groups": groups}
    bias = random.normal(size=outputs).astype(np.float32)
    layer = Layer("conv", "torch.ao.nn.quantized.Conv2d", held, bias, None, settings)
    y = QParams.per_tensor(0.3, 113)
    shape = (n, outputs, height, width)
    return Call(Node("c", "conv2d", "conv", None, (0,), shape, "quint8", y, ("qx",)), layer, (x,))


CONVOLUTIONS = {
    "plain": (6, 5, 1, 3),
    "first layer": (3, 4, 1, 3),
    "depthwise": (16, 16, 16, 3),
    "grouped": (8, 12, 2, 3),
    "one pixel": (6, 5, 1, 1),
}
"""Channels in and out, groups, size of the kernel."""


@pytest.mark.parametrize("last", [True, False], ids=["channels last", "row-major"])
@pytest.mark.parametrize("arithmetic", ARITHMETIC)
@pytest.mark.parametrize("form", CONVOLUTIONS)
def test_a_convolution_in_parts_is_the_whole_one(form, arithmetic, last):
    random = np.random.default_rng(len(form))
    for zero_point in (0, 7):
        call = convolution(random, CONVOLUTIONS[form], zero_point=zero_point, last=last)
        whole = simulate(call, ARITHMETICS[arithmetic]).result
        assert np.ptp(whole) > 20
        for room in (1, 30, 130, 2**20):
            found = result_of(planned(call, ARITHMETICS[arithmetic]), room)
            assert np.array_equal(found, whole)


@pytest.mark.parametrize("name", ["onednn-avx2", "onednn-avx512"])
def test_padding_with_bytes_of_0_adds_nothing_whether_onednn_leaves_it_out_or_not(name):
    random = np.random.default_rng(4)
    for zero_point, matters in ((0, False), (200, True)):  # pairs of 200 can be cut off
        call = convolution(random, (8, 8, 1, 3), zero_point=zero_point)
        plan = planned(call, ARITHMETICS[name])
        assert plan.kernel.skips_padding is matters
        other = replace(plan.kernel, skips_padding=not matters)
        stages = plan.op.made_by(other, plan.values)
        found = result_of(replace(plan, stages=stages, constants={}))
        assert np.array_equal(found, result_of(plan)) is not matters


def test_an_operand_that_no_stage_takes_is_not_laid_out():
    class Untouched(Windows):
        def __getitem__(self, index):
            pytest.fail("laid out")

    plan = planned(convolution(np.random.default_rng(4), (8, 8, 1, 3)), ARITHMETICS["fbgemm-avx2"])
    inside = plan.values["inside"]
    plan.values["inside"] = Untouched(inside._found, inside._groups)
    assert result_of(plan, 50).size


@pytest.mark.parametrize("op", ["add", "mul", "add_relu", "mul_relu"])
@pytest.mark.parametrize("arithmetic", ARITHMETIC)
def test_two_images_in_parts_are_the_whole_ones(op, arithmetic):
    random = np.random.default_rng(1)
    a, b = image(random, (2, 5, 4, 3)), image(random, (2, 5, 4, 3), 100)
    strides = tuple(s for s in a.q.strides)
    y = QParams.per_tensor(0.05, 90)
    node = Node("a", op, "", None, (0, 1), a.q.shape, "quint8", y, ("qa", "qb"), {}, strides)
    call = Call(node, None, (a, b))
    whole = simulate(call, ARITHMETICS[arithmetic]).result
    for room in (1, 9, 2**20):
        found = result_of(planned(call, ARITHMETICS[arithmetic]), room)
        assert np.array_equal(found, whole)
        assert found.strides == a.q.strides


def test_every_call_of_a_run_is_the_same_in_parts():
    made = recording(rows=5)
    for name in ARITHMETIC:
        trace = Trace(made, ARITHMETICS[name], room=3)
        for call, comparison in enumerate(trace.comparisons):
            inside = trace.simulation(call)
            differs = np.count_nonzero(inside.result != made.values[call])
            assert comparison.differences == differs


def test_a_call_is_refused_where_another_kernel_would_have_given_something_else():
    call = convolution(np.random.default_rng(2), CONVOLUTIONS["plain"])
    plan = planned(call, ARITHMETICS["onednn-vnni"])
    *before, last = plan.stages
    found = result_of(replace(plan, rivals=(plan.stages,)), 50)
    assert np.array_equal(found, result_of(plan))

    def one_more(*operands):
        made = last.compute(*operands).copy()
        made[..., -1] += made[..., -1] == np.max(found[:, -1])  # few elements, in some parts only
        return made

    other = (*before, replace(last, compute=one_more))
    with pytest.raises(NotSimulated, match="which of oneDNN's kernels ran is not known"):
        result_of(replace(plan, rivals=(plan.stages, other)), 50)


def test_a_convolution_takes_little_memory_besides_its_operands_and_its_result():
    call = convolution(np.random.default_rng(3), (16, 32, 1, 3), out=(1, 128, 128))
    windows = 128 * 128 * 16 * 9
    plan = planned(call, ARITHMETICS["fbgemm-avx2"])
    tracemalloc.start()
    result_of(plan, 2**14)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < windows, "the windows were laid out as a whole"


def test_the_inside_of_few_calls_is_kept(monkeypatch):
    made = recording(rows=50)
    trace = Trace(made, ARITHMETICS["fbgemm-avx2"])
    assert trace.comparisons
    assert trace.kept_bytes == 0
    every = [trace.simulation(call) for call in range(len(trace.nodes))]
    assert trace.kept_bytes == sum(simulation.bytes for simulation in every)
    assert trace.simulation(1) is every[1]
    monkeypatch.setattr(calls, "KEPT_BYTES", every[1].bytes)
    fresh = Trace(made, ARITHMETICS["fbgemm-avx2"])
    for call in range(len(fresh.nodes)):
        fresh.simulation(call)
        assert fresh.kept_bytes <= max(every[1].bytes, every[call].bytes)


def test_results_are_kept_only_to_feed_later_calls():
    made = recording(rows=3)
    fed = Trace(made, ARITHMETICS["textbook"], "simulated")
    assert fed.comparisons
    assert fed.kept_bytes == sum(value.nbytes for value in made.values)


def test_an_empty_batch_has_an_empty_result():
    call = convolution(np.random.default_rng(4), CONVOLUTIONS["plain"], out=(0, 9, 8))
    for room in (1, 2**20):
        found = result_of(planned(call, ARITHMETICS["fbgemm-avx2"]), room)
        assert found.shape == (0, 5, 9, 8)
