"""What calls of a layer have in common is found once, and never taken for another call's."""

import gc
from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.op import NotSimulated
from qdbg.core.presets import ARITHMETICS
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine import known
from qdbg.engine.simulate import planned, result_of, simulate
from qdbg.ops import _fbgemm
from qdbg.selftest.faults import Fault, computing
from tests.core.test_parts import CONVOLUTIONS, convolution

OWN = ARITHMETICS["fbgemm-avx2"]


@pytest.fixture(autouse=True)
def _nothing_known():
    known.forget()


def call(seed=0):
    return convolution(np.random.default_rng(seed), CONVOLUTIONS["plain"])


def fed(one, **qparams):
    """The call with other integers, and with other parameters of its input."""
    x = one.inputs[0]
    other = np.random.default_rng(9).integers(0, 256, x.q.shape).astype(np.uint8)
    return replace(one, inputs=(QTensor(other, replace(x.qparams, **qparams), x.strides),))


def giving(one, scale=0.3, zero_point=113, **settings):
    node = replace(one.node, output=QParams.per_tensor(scale, zero_point))
    return replace(one, node=replace(node, settings={**node.settings, **settings}))


def of_layer(one, **changes):
    return replace(one, layer=replace(one.layer, **changes))


def of_stride(one, stride):
    shape = (2, 5, 3, 2)
    held = of_layer(one, settings={**one.layer.settings, "stride": stride})
    return replace(held, node=replace(one.node, shape=shape))


def of_small(cut):
    """A layer so small that it depends on the integers whether oneDNN's kernel matters."""
    one = convolution(np.random.default_rng(1), (4, 6, 2, 3), out=(1, 1, 1))
    x, weight = one.inputs[0], one.layer.weight
    fed = QTensor(np.full_like(x.q, 255 if cut else 3), x.qparams, x.strides)
    held = QTensor(np.full_like(weight.q, 127), weight.qparams)
    return of_layer(replace(one, inputs=(fed,)), weight=held)


CHANGED = {
    "other integers": fed,
    "another input scale": lambda one: fed(one, scale=np.array(0.013)),
    "another input zero point": lambda one: fed(one, zero_point=np.array(8)),
    "another output scale": lambda one: giving(one, scale=0.25),
    "another output zero point": lambda one: giving(one, zero_point=7),
    "another bias": lambda one: of_layer(one, bias=one.layer.bias + np.float32(9)),
    "no bias": lambda one: of_layer(one, bias=None),
    "other weights": lambda one: of_layer(one, weight=call(5).layer.weight),
    "another stride": lambda one: of_stride(one, 2),
}


@pytest.mark.parametrize("arithmetic", ["fbgemm-avx2", "onednn-avx2", "onednn-vnni", "textbook"])
@pytest.mark.parametrize("change", CHANGED)
def test_a_call_after_another_one_gives_what_it_gives_alone(change, arithmetic):
    own, first = ARITHMETICS[arithmetic], call()
    other = CHANGED[change](first)
    alone = simulate(other, own).result
    known.forget()
    before = result_of(planned(first, own))
    for _ in range(2):
        assert np.array_equal(result_of(planned(other, own)), alone)
        assert np.array_equal(simulate(other, own).result, alone)
    assert not np.array_equal(alone, before)


def test_the_same_call_under_another_arithmetic_is_not_taken_for_it():
    one = call()
    found = {name: result_of(planned(one, ARITHMETICS[name])) for name in ARITHMETICS}
    assert not np.array_equal(found["fbgemm-avx2"], found["fbgemm-vnni"])
    for name, result in found.items():
        assert np.array_equal(result, simulate(one, ARITHMETICS[name]).result)


def test_an_arithmetic_of_the_same_name_is_not_taken_for_another():
    one, other = call(), replace(OWN, level="vnni", accumulator="exact")
    before = result_of(planned(one, OWN))
    assert not np.array_equal(result_of(planned(one, other)), before)


def test_what_a_layer_needs_is_found_once():
    one = call()
    first, second = planned(one, OWN), planned(fed(one), OWN)
    assert first.stages is second.stages
    assert first.constants is second.constants
    result_of(first)
    assert {"M", "w_sum"} <= set(second.constants)


def test_nothing_is_kept_longer_than_the_layer():
    one = call()
    planned(one, OWN)
    assert len(known._KNOWN) == 1
    del one
    gc.collect()
    assert not known._KNOWN


def test_a_layer_with_many_kinds_of_calls_keeps_few_of_them():
    one = call()
    for zero_point in range(3 * known.FEW):
        planned(giving(one, zero_point=zero_point), OWN)
        assert len(known._KNOWN[one.layer]) <= known.FEW


def test_where_the_choice_of_a_kernel_looks_at_the_integers_it_is_made_for_each_input():
    own, one = ARITHMETICS["onednn-avx512"], of_small(False)
    assert planned(one, own).kernel.doubt
    assert one.layer not in known._KNOWN
    with pytest.raises(NotSimulated, match="how oneDNN pairs the products"):
        planned(of_small(True), own)


def test_a_seeded_fault_shows_where_the_right_rule_was_known_before():
    one, stage = call(), _fbgemm.round_half_even
    right = result_of(planned(one, OWN))
    wrong = computing(stage, lambda s: np.asarray(np.floor(s)).astype(np.int32))
    with Fault("down", "conv2d", ((_fbgemm, "round_half_even", wrong),)).seeded():
        assert not np.array_equal(result_of(planned(one, OWN)), right)
    assert np.array_equal(result_of(planned(one, OWN)), right)
