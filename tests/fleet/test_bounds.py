"""What is said of any input holds for every input: small layers, and bytes from end to end."""

from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.op import Call, laid_out
from qdbg.core.pairs import saturating_pair_sums
from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import FIRST_CONSTANT, INPUT, Environment, Layer, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.core.sums import exact_sums
from qdbg.engine.simulate import simulate
from qdbg.fleet.bounds import EXACT, FINITE, POSSIBLE, PROVED, REACHED, UNKNOWN, bounds
from qdbg.fleet.feed import Machine
from qdbg.fleet.ranges import ranges
from qdbg.fleet.stack import Job, Stacked
from qdbg.ops import registry

HERE = Environment("fbgemm", "vnni", "2.13.0", "a CPU", "exact sums", True)


def pairs_of(numbers):
    return np.stack(np.meshgrid(numbers, numbers), -1).reshape(-1, 2).astype(np.uint8)


GRID = pairs_of(np.arange(0, 256, 15))
"""Pairs of bytes with those of both ends, at which sums are largest and least."""
SEEDS = range(12)
NAMES = ("fbgemm-avx2", "onednn-avx512", "qnnpack-avx2", "x86-vnni")


def qparams(random, scale):
    return QParams.per_tensor(float(scale), int(random.integers(0, 256)))


def weighted(random, path, shape, largest, scale, **settings):
    """A layer whose weights are at most so large: pairs of small ones cannot leave int16."""
    q = random.integers(-largest, largest + 1, shape).astype(np.int8)
    q[random.integers(len(q))] = random.choice([-largest, largest])
    scales = random.uniform(0.001, 0.01, shape[0])
    weight = QTensor(q, QParams(scales, np.zeros(shape[0], np.int64), "qint8", 0))
    bias = random.normal(0, 0.3, shape[0]).astype(np.float32)
    return Layer(path, "nn.Linear", weight, bias, qparams(random, scale), settings)


def called(path, op, source, shape, output):
    return Node(f"{path}:{op}", op, path, None, (source,), shape, "quint8", output, ("x",))


def recording(nodes, layers, fed):
    values = tuple(np.zeros(node.shape, np.uint8) for node in nodes)
    by_path = {layer.path: layer for layer in layers}
    return Recording("m", "", "s", fed, HERE, Program(tuple(nodes), by_path), values)


def perceptron(seed):
    """Two inputs, four channels, ReLU, three channels: small and large weights."""
    random = np.random.default_rng(seed)
    largest = int(random.choice([20, 60, 64, 65, 100, 127]))
    first = weighted(random, "fc1", (4, 2), largest, random.uniform(0.01, 0.05))
    second = weighted(random, "fc2", (3, 4), int(random.choice([64, 80, 127])), 0.02)
    x = qparams(random, random.uniform(0.01, 0.05))
    nodes = [
        called("quant", "quantize", INPUT, (1, 2), x),
        called("fc1", "linear", 0, (1, 4), first.output),
        called("relu", "relu", 1, (1, 4), first.output),
        called("fc2", "linear", 2, (1, 3), second.output),
    ]
    return recording(nodes, [first, second], np.zeros((1, 2), np.float32))


def conv(seed, padding):
    """An image of 1×2 pixels and a kernel of 1×3 or 1×2: two inputs and all their bytes."""
    random = np.random.default_rng(seed)
    kernel = (1, 3) if padding else (1, 2)
    settings = {"stride": (1, 1), "padding": (0, padding), "dilation": (1, 1), "groups": 1}
    layer = weighted(random, "conv", (2, 1, *kernel), int(random.choice([64, 90, 127])), 0.03)
    layer = replace(layer, settings=settings)
    nodes = [
        called("quant", "quantize", INPUT, (1, 1, 1, 2), qparams(random, 0.05)),
        called("conv", "conv2d", 0, (1, 2, 1, 2 if padding else 1), layer.output),
    ]
    return recording(nodes, [layer], np.zeros((1, 1, 1, 2), np.float32))


def everything(made, machine):
    """Per call the results for all inputs, from the quantized input on."""
    found = [GRID.reshape(len(GRID), *made.program.nodes[0].shape)]
    for node in made.program.nodes[1:]:
        before = made.program.nodes[node.inputs[0]]
        operand = Stacked(found[node.inputs[0]], before.output, before.strides, shared=False)
        job = Job(node, made.program.layers.get(node.layer), (operand,), len(GRID))
        (result,) = job.under([machine.arithmetic])
        assert not result.reasons
        found.append(result.values)
    return found


def cut(made, machine, call, found):
    """Whether saturation changes a sum of the call for some input."""
    node = made.program.nodes[call]
    before = made.program.nodes[node.inputs[0]]
    layer, op = made.program.layers[node.layer], registry()[node.op]
    x = QTensor(found[node.inputs[0]].reshape(-1, *before.shape[1:]), before.output)
    values = laid_out(op, Call(replace(node, shape=(len(x.q), *node.shape[1:])), layer, (x,)))
    one = laid_out(op, Call(node, layer, (QTensor(x.q[:1], before.output),)))
    kernel = op.kernel(machine.arithmetic, one)
    if kernel.accumulator == "exact":
        return False
    x_q = values["x_q"] * values["inside"] if kernel.skips_padding else values["x_q"]
    sums = saturating_pair_sums(x_q, values["w_q"], kernel.block)
    return not np.array_equal(sums, exact_sums(x_q, values["w_q"]))


def nets():
    for seed in SEEDS:
        yield perceptron(seed)
        yield conv(seed, 0)
        yield conv(seed, 1)


@pytest.mark.parametrize("name", NAMES)
def test_never_is_true_of_every_input_and_can_of_some(name):
    """`never` and `exact`: no input changes a sum; `can`: one does. Each answer must occur."""
    machine, answers = Machine(name, ARITHMETICS[name]), set()
    for made in nets():
        places = {node.name: call for call, node in enumerate(made.program.nodes)}
        told = bounds(made, machine, ranges(made, machine))
        if any(bound.status == UNKNOWN for bound in told):
            answers.add(UNKNOWN)
            continue
        found = everything(made, machine)
        for bound in told:
            saturates = cut(made, machine, places[bound.call], found)
            answers.add(bound.status)
            if bound.status in {PROVED, EXACT}:
                assert not saturates, bound
            if bound.status == REACHED:
                assert saturates, bound
    wanted = {PROVED, REACHED, POSSIBLE} if "pairs" in machine.arithmetic.accumulator else {EXACT}
    assert answers >= wanted


@pytest.mark.parametrize("name", NAMES)
def test_no_input_gives_an_integer_outside_the_range(name):
    """And of exact sums the range is the smallest one there is."""
    machine = Machine(name, ARITHMETICS[name])
    narrow = 0
    for made in nets():
        known = ranges(made, machine)
        if any(b.status == UNKNOWN for b in bounds(made, machine, known)):
            continue
        found = everything(made, machine)
        for call, (own, values) in enumerate(zip(known, found, strict=True)):
            low, high = values.min(axis=0), values.max(axis=0)
            assert np.all(own.low <= low)
            assert np.all(own.high >= high)
            narrow += bool(np.any(own.low > 0) or np.any(own.high < 255))
            if call == 1 and machine.arithmetic.accumulator == "exact":
                assert np.array_equal(own.low, low)
                assert np.array_equal(own.high, high)
    assert narrow > len(SEEDS)


def test_the_worst_pair_is_the_worst_of_all():
    machine = Machine("fbgemm-avx2", ARITHMETICS["fbgemm-avx2"])
    for seed in SEEDS:
        made = perceptron(seed)
        (first, _) = bounds(made, machine, ranges(made, machine))
        w = made.program.layers["fc1"].weight.q.astype(np.int64)
        sums = pairs_of(np.arange(256)).astype(np.int64) @ w.T
        assert first.largest == np.abs(sums).max()
        outside = np.flatnonzero(((sums > 32767) | (sums < -32768)).any(axis=0))
        assert first.able == tuple(outside)
        if first.worst is None:
            assert first.status == PROVED
            continue
        pair = first.worst
        assert pair.sum == sum(x * q for x, q in zip(pair.weights, pair.inputs, strict=True))
        assert pair.excess == max(sums.max() - 32767, -32768 - sums.min())
        assert pair.weights == tuple(w[pair.channel, list(pair.k)])


def test_the_range_behind_relu_is_what_proves_the_second_layer():
    """The same weights, with and without ReLU before them: the bytes below the zero point count."""
    machine = Machine("fbgemm-avx2", ARITHMETICS["fbgemm-avx2"])
    made = perceptron(0)
    (_, with_relu) = bounds(made, machine, ranges(made, machine))
    zero = int(made.program.layers["fc1"].output.zero_point)
    assert with_relu.low >= zero
    known = ranges(made, machine)
    assert np.all(known[2].low >= zero)


def test_a_layer_that_cannot_be_simulated_is_said_to_be_unknown():
    made = perceptron(0)
    node = made.program.nodes[1]
    twice = replace(node, repeatable=False)
    nodes = (made.program.nodes[0], twice, *made.program.nodes[2:])
    changed = replace(made, program=Program(nodes, made.program.layers))
    machine = Machine("fbgemm-avx2", ARITHMETICS["fbgemm-avx2"])
    (first, second) = bounds(changed, machine, ranges(changed, machine))
    assert first.status == UNKNOWN
    assert "ran this call again" in first.reason
    assert second.status in {PROVED, POSSIBLE}
    assert np.all(ranges(changed, machine)[1].high == 255)


def dynamic(largest, source=INPUT, **settings):
    """One layer that quantizes its operand itself: the model's own input, or what operations made
    of it that are not recorded."""
    q = np.full((2, 4), largest, np.int8)
    weight = QTensor(q, QParams(np.array(0.01), np.array(0), "qint8", None))
    layer = Layer("fc", "nn.Linear", weight, None, None)
    node = Node(
        "fc:linear_dynamic", "linear_dynamic", "fc", None, (source,), (1, 2), "float32", None,
        ("X",), settings,
    )  # fmt: skip
    fed = np.ones((1, 4), np.float32)
    made = recording([node], [layer], fed)
    return replace(made, constants=(fed,), values=(np.zeros((1, 2), np.float32),))


@pytest.mark.parametrize("source", [INPUT, FIRST_CONSTANT])
@pytest.mark.parametrize(
    ("largest", "reduced", "status", "high"),
    [
        (127, True, FINITE, 128),  # 2·127·128 = 32512
        (65, True, FINITE, 128),
        (64, True, PROVED, 255),  # 2·64·255 = 32640: also with the bytes that NaN becomes
        (64, False, PROVED, 255),
        (65, False, POSSIBLE, 255),
    ],
)
def test_of_a_float_operand_only_finite_numbers_have_bytes_of_a_reduced_range(
    source, largest, reduced, status, high
):
    machine = Machine("fbgemm-avx2", ARITHMETICS["fbgemm-avx2"])
    made = dynamic(largest, source, reduce_range=reduced)
    (bound,) = bounds(made, machine, ranges(made, machine))
    assert (bound.status, bound.low, bound.high) == (status, 0, high)


@pytest.mark.parametrize("name", ["fbgemm-avx2", "onednn-avx512"])
def test_no_finite_operand_gives_a_byte_beyond_the_reduced_range_and_a_tie(name):
    random, machine = np.random.default_rng(3), Machine(name, ARITHMETICS[name])
    made = dynamic(127, reduce_range=True)
    (node,), tops = made.program.nodes, set()
    for _ in range(2000):
        x = (random.normal(size=(1, 4)) * 10.0 ** random.integers(-44, 38)).astype(np.float32)
        made_of = simulate(Call(node, made.program.layers["fc"], (x,)), machine.arithmetic)
        tops.add(int(np.max(made_of.values["x_q"])))
    assert max(tops) in {127, 128}
