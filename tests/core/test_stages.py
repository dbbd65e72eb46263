"""Formula, arithmetic and explanation of a stage stand in one function and agree."""

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest

from qdbg import ops
from qdbg.core.op import NotSimulated
from qdbg.core.presets import ARITHMETICS
from qdbg.core.stage import stage
from qdbg.ops import recurrent, registry

CASES = [(op, example) for op in registry().values() for example in op.examples]


def name_of(case):
    op, example = case
    return f"{op.name}-{example.arithmetic}"


@pytest.mark.parametrize(("op", "example"), CASES, ids=[name_of(c) for c in CASES])
def test_every_example_comes_out_as_it_does_by_hand(op, example):
    values = {k: np.asarray(v) for k, v in example.operands.items()}
    stages = op.stages(ARITHMETICS[example.arithmetic], values)
    for step in stages:
        values[step.output] = np.asarray(step.run(values))
    assert tuple(values[stages[-1].output].ravel().tolist()) == example.expected


@pytest.mark.parametrize("scale", [1e-41, 1e38], ids=["tiny", "huge"])
@pytest.mark.parametrize("arithmetic", ARITHMETICS)
def test_scales_beyond_float32_give_infinities_and_no_warning(arithmetic, scale):
    """Warnings are errors here; a user would see them between the results. QNNPACK refuses them."""
    op = registry()["linear"]
    values = {k: np.asarray(v) for k, v in op.examples[0].operands.items()}
    values["y_scale"] = np.array(scale)
    if arithmetic.startswith("qnnpack"):
        with pytest.raises(NotSimulated, match="PyTorch refuses to run it"):
            op.stages(ARITHMETICS[arithmetic], values)
        return
    stages = op.stages(ARITHMETICS[arithmetic], values)
    for step in stages:
        values[step.output] = np.asarray(step.run(values))
    assert values[stages[-1].output].dtype.kind in "iuf"


def test_the_registry_finds_every_op_of_the_multilayer_perceptron():
    mlp = {"dequantize", "identity", "linear", "linear_relu", "quantize", "relu"}
    assert mlp <= set(registry())


def test_no_call_of_the_dispatcher_belongs_to_two_ops():
    calls = [call for op in registry().values() for call in op.calls]
    assert len(calls) == len(set(calls))


def test_every_op_that_is_simulated_has_an_example():
    simulated = [op for op in registry().values() if op.operands is not recurrent.operands]
    assert [op.name for op in simulated if not op.examples] == []


def test_a_formula_that_forgets_an_operand_is_refused():
    with pytest.raises(TypeError, match="y_zp"):

        @stage("broken", output="z int32", formula="z = r")
        def broken(r, y_zp):
            """Adds something that the formula does not show."""


def test_a_stage_without_an_explanation_is_refused():
    with pytest.raises(TypeError, match="docstring"):

        @stage("silent", output="z int32", formula="z = r")
        def silent(r):
            return r


def all_stages():
    for op in registry().values():
        for arithmetic in ARITHMETICS.values():
            for example in op.examples:
                for bias in (False, True):
                    values = {k: np.asarray(v) for k, v in example.operands.items()}
                    values |= {"b": np.zeros(1, np.float32)} if bias else {}
                    with contextlib.suppress(NotSimulated):
                        yield from op.stages(arithmetic, values)


def test_the_left_side_of_every_formula_is_the_output_symbol():
    for found in all_stages():
        assert re.match(rf"{re.escape(found.output)}(\[\w\])? = ", found.formula), found.formula


def test_only_the_primitives_round_saturate_or_narrow():
    forbidden = re.compile(r"np\.(rint|round|clip|floor|ceil|trunc|maximum|minimum)\(|\.astype\(")
    for path in Path(ops.__path__[0]).glob("*.py"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path.name
