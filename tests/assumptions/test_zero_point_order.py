"""PyTorch adds the zero point before it rounds in some kernels, the textbook always behind."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import Environment, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.diagnose import diagnose
from qdbg.engine.trace import Trace
from qdbg.session import load

TIES = Path(__file__).parents[1] / "ties"
INPUT = QParams.per_tensor(0.5, 137)
"""An odd zero point: a tie goes to the other neighbour on the other side of rounding."""


def causes(op, shapes, out, settings, output=INPUT):
    """What explains that PyTorch's integers of a call are not the textbook's."""
    random = np.random.default_rng(0)
    drawn = [random.integers(0, 256, shape).astype(np.uint8) for shape in shapes]
    sources = tuple(-3 - place for place in range(len(shapes)))
    node = Node(f"x:{op}", op, "", None, sources, out, "quint8", output, (), settings)
    made = Recording(
        model="pieces", sha256="", sample="random", input=np.zeros(0, np.float32),
        environment=Environment("fbgemm", "avx2", "2.13.0", "", "", True),
        program=Program((node,), {}), values=(np.zeros(out, np.uint8),),
        constants=tuple(QTensor(q, INPUT) for q in drawn),
    )  # fmt: skip
    captured = Trace(made, ARITHMETICS["fbgemm-avx2"]).simulation(0).result
    made = replace(made, values=(captured,))
    found = diagnose(Trace(made, ARITHMETICS["textbook"]), 0, captured)
    return [verdict.names for verdict in found.causes]


HALVED = QParams.per_tensor(1.0, 137)
WIDE = QParams.per_tensor(16.0, 137)
SLOPE = {"negative_slope": 0.5}
POOL = {"kernel_size": [2, 1], "stride": [2, 1], "padding": [0, 0]}


@pytest.mark.parametrize(
    ("call", "cause"),
    [
        (("mean", [(2, 6, 8)], (2, 8), {"dim": [1]}), "zero-point-order"),
        (("mean", [(64, 6)], (64,), {"dim": [1]}), "zero-point-order"),
        (("avg_pool2d", [(1, 4, 6, 6)], (1, 4, 3, 6), POOL), "zero-point-order"),
        (("adaptive_avg_pool2d", [(1, 4, 6, 6)], (1, 4, 3, 6), {}), "zero-point-order"),
        (("leaky_relu", [(31,)], (31,), SLOPE, HALVED), "zero-point-order"),
        (("leaky_relu", [(95,)], (95,), SLOPE, HALVED), "zero-point-order=left-over"),
        (("cat", [(5, 6)] * 2, (10, 6), {"dim": 0}, HALVED), "zero-point-order"),
        (("matmul", [(30, 4), (4, 40)], (30, 40), {}, WIDE), "zero-point-order"),
    ],
)
def test_the_order_alone_explains_ties_that_go_to_the_other_neighbour(call, cause):
    assert causes(*call) == [(cause,)]


def test_numbers_of_another_release_are_explained_by_the_order():
    """2.12 rounds first: what 2.13 made of the same real numbers is one change away."""
    own, other = (load(TIES / f"{release}-fbgemm.qdbg").recording for release in ("2.12", "2.13"))
    trace = Trace(own, arithmetic_for(own))
    calls = [call for call, node in enumerate(trace.nodes) if node.op == "quantize"][:2]
    for call in calls:
        found = diagnose(trace, call, other.values[call])
        assert ("zero-point-order",) in [verdict.names for verdict in found.causes]
