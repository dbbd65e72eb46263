"""Runs laid side by side give what each gives alone, for every op that is laid side by side."""

from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.op import Call, NotSimulated
from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import Environment
from qdbg.core.quantity import RANGES, QTensor, readonly
from qdbg.engine.simulate import simulate
from qdbg.fleet import stack
from qdbg.fleet.stack import ELEMENTS, IMAGES, MERGED, MOVED, POOLS, Job, Stacked
from qdbg.ops import registry
from qdbg.selftest.cases import generators
from qdbg.selftest.check import record
from qdbg.selftest.draw import Draw

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes
RUNS = 3
HERE = Environment("fbgemm", "avx2", "2.13.0", "a CPU", "saturating pairs", True)
CASES = (
    *("linear", "conv2d", "conv1d", "conv3d", "quantize", "dequantize", "clamp", "relu"),
    *("add", "mul", "cat", "max_pool", "avg_pool", "adaptive_avg_pool", "moves"),
)


def drawn(count=12):
    """Calls of every kind that is drawn, of an op that is laid side by side."""
    names = [n for n in generators() if any(n.startswith(c.rstrip("123d")) for c in CASES)]
    for name in names or sorted(generators()):
        for seed in range(count):
            case = generators()[name](Draw(seed, "fbgemm", "avx2", 0.2))
            recording = None if case is None else record(case, HERE)
            for call, node in enumerate(() if recording is None else recording.program.nodes):
                layer = recording.program.layers.get(node.layer)
                inputs = tuple(recording.operand(source) for source in node.inputs)
                yield node, layer, inputs, call


def other(random, operand):
    """An operand of the same kind with numbers of its own."""
    if isinstance(operand, QTensor):
        low, high = RANGES[operand.qparams.dtype]
        low, high = max(low, -(2**20)), min(high, 2**20)
        q = random.integers(low, high + 1, operand.q.shape).astype(operand.q.dtype)
        return replace(operand, q=readonly(q))
    return readonly(random.normal(0, 3, operand.shape).astype(operand.dtype))


def operand_of(random, operand, fixed):
    quantized = isinstance(operand, QTensor)
    numbers = operand.q if quantized else operand
    qparams = operand.qparams if quantized else None
    strides = operand.strides if quantized else None
    if fixed:
        return Stacked(numbers, qparams, strides, shared=True)
    made = [other(random, operand) for _ in range(RUNS)]
    value = np.stack([m.q if quantized else m for m in made])
    return Stacked(value, qparams, strides, shared=False)


def alone(job, run, arithmetic):
    try:
        return simulate(job.call(run), arithmetic).result
    except NotSimulated as reason:
        return str(reason)


@pytest.fixture(scope="module")
def jobs():
    random = np.random.default_rng(5)
    found = []
    for node, layer, inputs, _ in drawn():
        if any(operand is None for operand in inputs) or node.op not in registry():
            continue
        fixed = [name in {"weight", "bias", "index"} for name in node.names]
        operands = tuple(
            operand_of(random, o, f) for o, f in zip(inputs, fixed, strict=True) if o is not None
        )
        found.append(Job(node, layer, operands, RUNS))
    return found


@pytest.mark.parametrize("name", ["fbgemm-avx2", "onednn-avx2", "x86-vnni", "qnnpack-avx2"])
def test_side_by_side_as_alone(jobs, name):
    """Values and reasons, whatever the op; most ops must really have been laid side by side."""
    arithmetic = ARITHMETICS[name]
    together = set()
    for job in jobs:
        with np.errstate(all="ignore"):
            (made,) = job.under([arithmetic])
            wanted = [alone(job, run, arithmetic) for run in range(RUNS)]
        together |= {job.node.op} if job._made else set()
        for run, own in enumerate(wanted):
            if isinstance(own, str):
                assert made.reasons[run] == own
            else:
                assert run not in made.reasons
                assert made.values[run].tobytes() == own.tobytes(), job.node
    quantized = {"linear", "linear_relu", "conv2d", "conv2d_relu", "quantize", "dequantize"}
    assert together >= quantized | {"relu", "clamp", "add", "mul", "cat", "max_pool2d"}
    assert together >= {"avg_pool2d", "adaptive_avg_pool2d"}
    assert together & MOVED


def test_only_ops_that_exist_are_laid_side_by_side():
    assert set(registry()) >= MERGED | IMAGES | POOLS | MOVED | set(ELEMENTS)


def test_portions_of_a_large_job_join(jobs, monkeypatch):
    """Where memory allows one run at a time, the results are the same."""
    monkeypatch.setattr(stack, "ROWS", 1)
    for job in [j for j in jobs if j.node.op in {"linear", "conv2d", "add"}][:30]:
        cold = Job(job.node, job.layer, job.operands, RUNS)
        (made,) = cold.under([ARITHMETICS["fbgemm-avx2"]])
        (before,) = Job(job.node, job.layer, job.operands, 1).under([ARITHMETICS["fbgemm-avx2"]])
        assert made.values[0].tobytes() == before.values[0].tobytes()


def test_a_reason_of_one_run_does_not_touch_the_others():
    """Only the run with a value near a tie of sigmoid is refused."""
    call = next(
        (node, layer, inputs)
        for node, layer, inputs, _ in drawn_of("sigmoid")
        if node.op == "sigmoid"
    )
    node, layer, (x,) = call
    random = np.random.default_rng(1)
    operand = operand_of(random, x, fixed=False)
    (made,) = Job(node, layer, (operand,), RUNS).under([ARITHMETICS["fbgemm-avx2"]])
    for run in range(RUNS):
        own = Call(node, layer, (operand.of(run),))
        try:
            assert (
                made.values[run].tobytes()
                == simulate(own, ARITHMETICS["fbgemm-avx2"]).result.tobytes()
            )
        except NotSimulated as reason:
            assert made.reasons[run] == str(reason)


def drawn_of(name):
    case = generators()[name](Draw(0, "fbgemm", "avx2", 0.2))
    recording = record(case, HERE)
    for call, node in enumerate(recording.program.nodes):
        inputs = tuple(recording.operand(source) for source in node.inputs)
        yield node, recording.program.layers.get(node.layer), inputs, call
