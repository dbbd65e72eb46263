"""Releases of PyTorch round in different places: each is simulated by its own rule.

`tests/ties` holds ties with odd zero points, as each of them ran them.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qdbg.core.op import NotSimulated
from qdbg.core.versions import RULES, arithmetics, release_of, unmeasured
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.trace import Trace
from qdbg.ops import registry
from qdbg.session import load

TIES = sorted((Path(__file__).parents[1] / "ties").glob("*.qdbg"))
COMMON = {
    "add", "add_relu", "leaky_relu", "cat", "clamp", "constant_pad", "quantize",
    "quantize_per_channel", "quantize_dynamic", "copy_into", "avg_pool2d", "avg_pool3d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "upsample_bilinear2d", "std", "mean", "matmul",
    "prelu",
}  # fmt: skip
"""Ops for which ATen adds the zero point in 2.13 before rounding, in 2.12 behind it."""


RUNS = [load(path).recording for path in TIES]


def of(release, engine):
    found = {(release_of(made.environment.torch), made.environment.engine): made for made in RUNS}
    return found[release, engine]


def counts(recording, release):
    """The ops that differ under another release's arithmetic, with their types."""
    environment = replace(recording.environment, torch=f"{release}.0")
    other = replace(recording, environment=environment)
    trace = Trace(other, arithmetic_for(other))
    both = zip(trace.nodes, trace.comparisons, strict=True)
    assert {c.status for c in trace.comparisons} <= {"equal", "differs"}
    return {(node.op, node.dtype) for node, c in both if c.differences}


def test_ties_of_every_measured_release_are_at_hand():
    found = {(release_of(made.environment.torch), made.environment.engine) for made in RUNS}
    assert found == {(release, engine) for release in RULES for engine in ("fbgemm", "qnnpack")}


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack"])
@pytest.mark.parametrize("release", RULES)
def test_ties_are_rounded_as_the_release_did_that_ran_them(release, engine):
    made = of(release, engine)
    trace = Trace(made, arithmetic_for(made))
    assert trace.arithmetic.release == release
    assert {comparison.status for comparison in trace.comparisons} == {"equal"}


QINT8 = {("mul", "qint8"), ("add", "qint8"), ("add_relu", "qint8")}


def test_before_2_13_the_zero_point_is_added_behind_rounding():
    there, back = counts(of("2.12", "fbgemm"), "2.13"), counts(of("2.13", "fbgemm"), "2.12")
    assert {op for op, _ in there - QINT8} == {op for op, _ in back - QINT8} == COMMON


def test_before_2_13_xnnpack_multiplies_qint8_tensors_and_adds_them_under_qnnpack():
    assert ("mul", "qint8") in counts(of("2.12", "fbgemm"), "2.13")
    own = counts(of("2.12", "qnnpack"), "2.13")
    assert own >= QINT8
    assert not own & {(op, "quint8") for op, _ in QINT8}


def test_before_2_13_qnnpack_rounds_the_input_of_a_dynamic_layer_first_and_fbgemm_does_not():
    dynamic = ("linear_dynamic", "float32")
    assert dynamic in counts(of("2.12", "qnnpack"), "2.13")
    assert dynamic not in counts(of("2.12", "fbgemm"), "2.13")


def test_an_arithmetic_of_another_release_is_refused():
    made = of("2.12", "fbgemm")
    reason = unmeasured(made.environment, arithmetics("2.13")["fbgemm-avx2"])
    assert reason == "PyTorch 2.12.1+cu130 ran it; this is the arithmetic of 2.13"
    assert not unmeasured(made.environment, arithmetics("2.12")["fbgemm-avx2"])
    assert not unmeasured(made.environment, arithmetics("2.13")["textbook"])


@pytest.mark.parametrize(
    ("release", "expected", "formula"),
    [
        ("2.12", 117, "z[i] = wrap32(r[i] + y_zp)"),
        ("2.13", 118, "s[i] = fma32(x[i], f32(1 / f32(y_scale)), y_zp)"),
    ],
)
def test_the_formulas_of_quantize_say_where_the_release_adds_the_zero_point(
    release, expected, formula
):
    """0.05 at scale 0.1 is half a step: 117.5 rounds to 118, 0.5 rounds to 0."""
    op = registry()["quantize"]
    values = {k: np.asarray(v) for k, v in op.examples[0].operands.items()}
    stages = op.stages(arithmetics(release)["x86-vnni"], values)
    for each in stages:
        values[each.output] = each.run(values)
    assert values["y_q"].tolist() == [expected]
    assert formula in [each.formula for each in stages]


def test_a_large_value_wraps_where_the_zero_point_is_added_behind_rounding():
    """2147483520 + 200 is beyond int32: what was largest becomes 0."""
    op = registry()["quantize"]
    given = {"x": np.full(1, 1e30, np.float32), "y_scale": 1.0, "qmin": 0, "qmax": 255}
    found = {}
    for zero_point in (100, 200):
        values = {k: np.asarray(v) for k, v in {**given, "y_zp": zero_point}.items()}
        for each in op.stages(arithmetics("2.12")["fbgemm-avx2"], values):
            values[each.output] = each.run(values)
        found[zero_point] = values["y_q"].item()
    assert found == {100: 255, 200: 0}


def test_xnnpack_misreads_tensors_in_two_orders_of_memory():
    op = registry()["mul"]
    values = {k: np.asarray(v) for k, v in op.examples[0].operands.items()}
    values |= {"qmin": np.array(-128), "alike": np.array(False)}
    with pytest.raises(NotSimulated, match="XNNPACK reads the memory"):
        op.stages(arithmetics("2.12")["fbgemm-avx2"], values)
    assert op.stages(arithmetics("2.13")["fbgemm-avx2"], values)


def test_xnnpack_is_left_out_with_the_largest_zero_point_and_refuses_tiny_scales():
    op, arithmetic = registry()["mul"], arithmetics("2.12")["fbgemm-avx2"]
    values = {k: np.asarray(v) for k, v in op.examples[0].operands.items()}
    values |= {"qmin": np.array(-128), "qmax": np.array(127), "alike": np.array(True)}
    by_xnnpack = op.stages(arithmetic, values)
    by_aten = op.stages(arithmetic, values | {"y_zp": np.array(127)})
    assert [each.formula for each in by_aten] != [each.formula for each in by_xnnpack]
    assert by_aten == op.stages(arithmetics("2.13")["fbgemm-avx2"], values)
    tiny = values | {"a_scale": np.array(1e-38)}
    with pytest.raises(NotSimulated, match="PyTorch refuses to run it: XNNPACK's a_scale"):
        op.stages(arithmetic, tiny)
    assert op.stages(arithmetic, tiny | {"y_zp": np.array(127)})


SMALL = {
    "groups": 2, "x_channels": 2, "w_q": np.zeros((2 * 3, 9), np.int8), "w_scale": 0.01,
    "x_q": np.zeros((1, 1, 1, 2, 9), np.uint8), "kernel_size": (3, 3), "stride": (1, 1),
    "padding": (0, 0), "dilation": (1, 1), "x_size": (3, 3), "x_scale": 0.02, "x_zp": 0,
    "y_scale": 0.3, "w_zp": 0, "vbmi": 1, "threads": 1,
}  # fmt: skip
"""A convolution of two groups that is too small for one of oneDNN's kernels in 3.12."""


def test_of_onednn_before_3_12_no_limit_of_its_kernels_is_taken_for_known():
    values = {k: np.asarray(v) for k, v in SMALL.items()}
    kernel = registry()["conv2d"].kernel
    own = {release: kernel(arithmetics(release)["onednn-vnni"], values) for release in RULES}
    assert (own["2.13"].way_back, own["2.13"].doubt) == ("onednn-conv-gemm", ())
    assert (own["2.12"].way_back, own["2.12"].doubt[0]) == ("onednn-conv", "onednn-conv-gemm")
