"""Where a library changes its kernel with a layer's size or numbers, qdbg follows it."""

import json
import secrets

import pytest

from qdbg.capture.level import machine_has, machine_level
from qdbg.core.program import VBMI
from qdbg.names import LEVELS
from qdbg.ops._onednn_room import VERSION
from tests.forked import printed
from tests.released import HERE

AVX2_KINDS = ("onednn-conv-avx2", "onednn-conv-plain")
KINDS = ("onednn-conv", "onednn-conv-gemm", "onednn-conv-plain")


def run(engine, level):
    seed = secrets.randbits(32)
    return seed, json.loads(printed(level, "tests.oracle.kernels", engine, level, seed))


@pytest.mark.parametrize("level", ["avx2", "vnni"])
def test_qnnpacks_biases_beyond_int32(level):
    """Which int32 stands for them depends on whether the kernel goes over windows."""
    if level not in LEVELS[: LEVELS.index(machine_level()) + 1]:
        pytest.skip(f"this machine has no {level}")
    seed, found = run("qnnpack", level)
    assert found["compared"] > 5_000
    assert (found["refused"], found["differ"]) == (0, 0), f"seed {seed}"


@pytest.fixture(scope="module")
def onednn():
    if machine_level() != "vnni" or not machine_has(VBMI):
        pytest.skip("this machine has no VNNI or no VBMI, with which oneDNN takes all its kernels")
    return run("onednn", "vnni")


def test_onednns_kernel_is_the_one_that_it_says_it_ran(onednn):
    """oneDNN leaves tiny convolutions of groups to its GEMM or its plain loops, and transposed ones
    with strides or dilations that its own kernels do not take."""
    seed, found = onednn
    assert found["differ"] == 0, f"seed {seed}"
    if HERE["onednn-vnni"].onednn != VERSION:
        pytest.skip("of this oneDNN the limits of its kernels are not known")
    claimed = {pair: n for pair, n in found["found"].items() if "PyTorch" not in pair}
    assert set(claimed) <= {f"{kind} / {kind}" for kind in KINDS}, f"seed {seed}"
    assert claimed["onednn-conv-gemm / onednn-conv-gemm"] > 20
    assert claimed["onednn-conv-plain / onednn-conv-plain"] > 20


def test_onednns_kernel_on_avx2_is_the_one_that_it_says_it_ran():
    """Transposed convolutions of groups that fill no vector go to its plain loops."""
    seed, found = run("onednn", "avx2")
    claimed = {pair: n for pair, n in found["found"].items() if "PyTorch" not in pair}
    assert set(claimed) <= {f"{kind} / {kind}" for kind in AVX2_KINDS}, f"seed {seed}"
    assert all(claimed[f"{kind} / {kind}"] > 20 for kind in AVX2_KINDS), f"seed {seed}"
    assert found["differ"] == 0, f"seed {seed}"


def test_what_is_refused_as_wrong_is_wrong(onednn):
    """Away from the exact result by more than any order of rounding explains."""
    seed, found = onednn
    for reason, differences, largest in found["faults"]:
        assert reason.startswith("PyTorch's result is")
        assert differences > 10, f"seed {seed}"
        assert largest > 1
