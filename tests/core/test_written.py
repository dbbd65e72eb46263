"""An element's computation as a program of its own: it prints the integer that the kernel gives."""

import contextlib
import io
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.quantity import QTensor
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.computation import Writer, computation
from qdbg.engine.explain import explain
from qdbg.engine.filled import number
from qdbg.engine.simulate import Simulation
from qdbg.engine.trace import Trace
from qdbg.engine.written import c, python
from qdbg.errors import CommandError
from qdbg.ops import registry
from qdbg.session import load
from tests.synthetic import recording

PRESETS = ("fbgemm-avx2", "qnnpack-avx2", "onednn-avx2", "onednn-avx512", "textbook")


def printed_by_python(program):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(program, {})  # noqa: S102 - the program that is tested
    return out.getvalue().strip()


def printed_by_c(program, folder):
    source = Path(folder) / "element.c"
    source.write_text(program, encoding="utf-8")
    flags = ["-std=c11", "-O2", "-Wall", "-Werror", "-ffp-contract=off"]
    made = source.with_suffix("")
    subprocess.run(["gcc", *flags, source, "-o", made, "-lm"], check=True)  # noqa: S603, S607
    return subprocess.run([made], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def last_step(trace, call):
    return trace.step(trace.first_steps[call + 1] - 1)


@pytest.fixture(scope="module")
def made():
    return recording(inputs=301)  # oneDNN splits so many inputs in two halves of odd length


@pytest.mark.parametrize("preset", PRESETS)
def test_the_programs_of_each_layer_print_the_simulated_number(made, preset, tmp_path):
    trace = Trace(made, ARITHMETICS[preset])
    for call, element in ((0, 3), (1, 7), (2, 7), (3, 1), (4, 1)):
        step = last_step(trace, call)
        found = computation(trace, step, element)
        value = step.simulated[step.index_of(element)]
        expected = number(value) if step.captured.dtype != np.float32 else f"{value:.9g}"
        assert printed_by_python(python(found)) == expected
        if call in {0, 1}:
            assert printed_by_c(c(found), tmp_path) == expected


def written(op, example):
    """The program for the first number of an op's own example. Raises CommandError."""
    values = {name: np.asarray(value) for name, value in example.operands.items()}
    arithmetic = ARITHMETICS[example.arithmetic]
    stages = op.stages(arithmetic, values)
    for stage in stages:
        values[stage.output] = np.asarray(stage.run(values))
    steps = tuple(stage for stage in stages if not stage.constant)
    constants = {stage.output: stage for stage in stages if stage.constant}
    kernel = None if op.kernel is None else op.kernel(arithmetic, values)
    last = values[steps[-1].output]
    writer = Writer(
        Simulation(arithmetic, steps, constants, kernel, values, last), (0,) * last.ndim
    )
    writer.add(steps[-1])
    return writer.made_of(op.name)


IN_WORDS = {
    *("adaptive_avg_pool2d", "adaptive_avg_pool3d", "avg_pool2d", "avg_pool3d", "mean"),
    *("batch_norm", "batch_norm_relu", "batch_norm1d", "batch_norm1d_relu", "batch_norm2d"),
    *("batch_norm2d_relu", "batch_norm3d", "batch_norm3d_relu", "group_norm", "instance_norm"),
    *("layer_norm", "elu", "celu", "sigmoid", "tanh", "linear_tanh", "embedding_bag"),
    *("linear_dynamic", "linear_relu_dynamic", "matmul", "max_pool1d", "max_pool2d"),
    *("max_pool3d", "pad", "constant_pad", "reflection_pad1d", "reflection_pad2d"),
    *("reflection_pad3d", "gelu", "softmax", "std", "quantize_dynamic"),
}
"""Ops whose formulas say something in words, or take functions that no program here has."""


@pytest.mark.parametrize(
    "op", [op for op in registry().values() if op.examples], ids=lambda op: op.name
)
def test_what_is_written_for_an_op_prints_the_number_of_its_example(op):
    if op.name in IN_WORDS:
        with pytest.raises(CommandError, match=r"cannot be written|no number|is not one over"):
            written(op, op.examples[0])
        return
    found = written(op, op.examples[0])
    assert float(printed_by_python(python(found))) == pytest.approx(
        op.examples[0].expected[0], rel=1e-8
    )


@pytest.mark.parametrize("bound", [40.0, 1e30, float("inf")])
def test_a_bound_beyond_the_byte_or_without_an_end_is_written_as_code(bound, tmp_path):
    op = registry()["clamp"]
    operands = {**op.examples[0].operands, "low_real": -bound, "high_real": bound}
    found = written(op, replace(op.examples[0], operands=operands))
    assert printed_by_python(python(found)) == str(operands["x_q"][0])
    assert printed_by_c(c(found), tmp_path) == str(operands["x_q"][0])


def test_an_input_has_no_whole_computation(made):
    trace = Trace(made, ARITHMETICS["textbook"])
    step = trace.step(trace.first_steps[1])
    assert step.of_inputs
    with pytest.raises(CommandError, match="only an output element"):
        computation(trace, step, 0)


def test_a_call_that_is_not_simulated_is_refused_with_its_reason(made):
    nodes = [replace(n, op="aten.nothing") if n.op == "relu" else n for n in made.program.nodes]
    other = replace(made, program=replace(made.program, nodes=tuple(nodes)))
    trace = Trace(other, ARITHMETICS["textbook"])
    with pytest.raises(CommandError, match="is not simulated"):
        computation(trace, last_step(trace, 2), 0)


def test_the_program_holds_the_user_s_own_numbers(made):
    trace = Trace(made, ARITHMETICS["fbgemm-avx2"])
    found = computation(trace, last_step(trace, 1), 7)
    operand = trace.call(1).inputs[0]
    assert isinstance(operand, QTensor)
    assert found.operands["x_q_pairs"] == [*operand.q[0].tolist(), 0]
    assert found.operands["w_q"] == made.program.layers["fc1"].weight.q[7].tolist()


@pytest.mark.parametrize("preset", ["fbgemm-avx2", "qnnpack-avx2", "textbook"])
@pytest.mark.parametrize("far", [1e12, -1e12])
def test_what_lies_beyond_int32_is_said_to_be_kept_there_and_written_so(preset, far, tmp_path):
    made = recording()
    trace = Trace(replace(made, input=np.full_like(made.input, far)), ARITHMETICS[preset])
    rounded = next(step for step in map(trace.step, range(4)) if step.name.endswith("round"))
    ends = {-(2**31), 2**31 - 1}
    line = explain(rounded, 0)[0].numbers
    assert ("kept in 32 bits" in line) == (int(rounded.simulated[0, 0]) in ends)
    found = computation(trace, last_step(trace, 0), 0)
    expected = str(last_step(trace, 0).simulated[0, 0])
    assert printed_by_python(python(found)) == expected
    assert printed_by_c(c(found), tmp_path) == expected


TIES = Path(__file__).parents[1] / "ties"
FORMULAS = {"quantize", "quantize_per_channel", "add", "mul", "leaky_relu", "clamp", "copy_into",
            "prelu", "cat"}  # fmt: skip
"""Ops of the recorded ties whose formulas are code."""


@pytest.mark.parametrize("release", ["2.12", "2.13"])
def test_each_release_is_written_by_its_own_formulas(release, tmp_path):
    made = load(TIES / f"{release}-fbgemm.qdbg").recording
    trace = Trace(made, arithmetic_for(made))
    found = {call: node.op for call, node in enumerate(trace.nodes) if node.op in FORMULAS}
    assert set(found.values()) == FORMULAS
    for call in found:
        step = last_step(trace, call)
        for element in (0, step.size - 1):
            code = computation(trace, step, element)
            expected = str(int(made.values[call].ravel()[element]))
            assert printed_by_python(python(code)) == expected
        assert printed_by_c(c(code), tmp_path) == expected
