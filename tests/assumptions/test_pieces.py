"""Mistakes with concatenated and pooled tensors are named."""

from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.program import Environment, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.diagnose import diagnose
from qdbg.engine.trace import Trace

OUTPUT = QParams.per_tensor(0.05, 100)


def found(op, settings, tensors, shape, by_hand):
    """The ids of what explains the numbers by hand, of one call on constants."""
    sources = tuple(-3 - place for place in range(len(tensors)))
    output = OUTPUT if len(tensors) > 1 else tensors[0].qparams
    node = Node(f"x:{op}", op, "", None, sources, shape, "quint8", output, (), settings)
    made = Recording(
        model="pieces", sha256="", sample="random", input=np.zeros(0, np.float32),
        environment=Environment("fbgemm", "avx2", "2.13.0", "", "", True),
        program=Program((node,), {}), values=(np.zeros(shape, np.uint8),),
        constants=tuple(tensors),
    )  # fmt: skip
    made = replace(made, values=(Trace(made, arithmetic_for(made)).simulation(0).result,))
    diagnosis = diagnose(Trace(made, arithmetic_for(made)), 0, by_hand)
    return [verdict.names for verdict in diagnosis.causes]


def tensor(seed, scale, zero_point):
    q = np.random.default_rng(seed).integers(0, 256, (1, 4, 6, 6)).astype(np.uint8)
    return QTensor(q, QParams.per_tensor(scale, zero_point))


def joined(*parts):
    """(integers, scale, zero point) each, requantized and put side by side."""
    steps = [np.rint((q.astype(float) - zp) * scale / OUTPUT.scale) for q, scale, zp in parts]
    return np.clip(np.concatenate(steps, 1) + OUTPUT.zero_point, 0, 255).astype(np.int64)


COMBINED = {
    "add": np.add,
    "mul": np.multiply,
    "matmul": np.matmul,
    "cat": lambda a, b: np.concatenate([a, b], 1),
}
FIRST, SECOND = tensor(0, 0.031, 120), tensor(1, 0.047, 90)


@pytest.mark.parametrize(
    ("parts", "cause"),
    [
        (((FIRST.q, 0.031, 120), (SECOND.q, 0.031, 120)), "operand-parameters=first"),
        (((SECOND.q, 0.047, 90), (FIRST.q, 0.031, 120)), "input-order=operands-reversed"),
    ],
)
def test_joined_tensors_with_the_wrong_parameters_or_in_the_wrong_order(parts, cause):
    names = found("cat", {"dim": 1}, (FIRST, SECOND), (1, 8, 6, 6), joined(*parts))
    assert names == [(cause,)]


@pytest.mark.parametrize("forgotten", [0, 1])
@pytest.mark.parametrize("op", ["add", "mul", "matmul", "cat"])
def test_a_zero_point_forgotten_on_one_operand_of_two(op, forgotten):
    tensors = (FIRST, SECOND)
    a, b = (
        (t.q - float(t.qparams.zero_point if place != forgotten else 0)) * t.qparams.scale
        for place, t in enumerate(tensors)
    )
    real = COMBINED[op](a, b)
    by_hand = np.clip(np.rint(real / OUTPUT.scale) + OUTPUT.zero_point, 0, 255).astype(np.int64)
    names = found(op, {"dim": 1}, tensors, real.shape, by_hand)
    assert names == [(f"input-zero-point={('first', 'second')[forgotten]}",)]


def test_an_average_over_a_border_of_zero_bytes():
    x = FIRST.q.astype(np.int64)
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    summed = sum(padded[:, :, i : i + 7 : 2, j : j + 7 : 2] for i in (0, 1) for j in (0, 1))
    by_hand = np.rint((summed - 4 * 120) / 4) + 120
    settings = {"kernel_size": [2, 2], "stride": [2, 2], "padding": [1, 1]}
    names = found("avg_pool2d", settings, (FIRST,), (1, 4, 4, 4), by_hand.astype(np.int64))
    assert ("zero-padding",) in names
    assert all(len(each) == 1 for each in names)
