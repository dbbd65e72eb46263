"""What ran is what was asked for: four engines, every CPU level of this machine."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from qdbg.capture import isa, parent, prefork
from qdbg.capture import level as level_module
from qdbg.capture.isa import probe
from qdbg.capture.level import VARIABLES, forced_level, machine_level
from qdbg.capture.rebuild import rebuild
from qdbg.capture.run import choose_engine
from qdbg.core.container import encode, pack
from qdbg.errors import CaptureError
from qdbg.names import ENGINES, LEVELS
from qdbg.reader import read_model
from tests.capture.helpers import MODELS, request_for, run
from tests.forked import printed

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes
HEADER = Path(torch.__file__).parent / "include" / "cpuinfo.h"
FC1 = 1


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_kernels_of_the_level_ran(recordings, reachable, engine, level):
    if level not in reachable:
        pytest.skip(f"this machine is {reachable[-1]}")
    environment = recordings[engine, level].environment
    exact = engine == "qnnpack" or level == "vnni"
    assert (environment.engine, environment.cpu) == (engine, level)
    assert environment.kernel == ("exact sums" if exact else "saturating pairs")
    assert environment.unperturbed


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_forked_child_records_what_a_started_one_does(recordings, reachable, engine, level):
    if level not in reachable:
        pytest.skip(f"this machine is {reachable[-1]}")
    assert prefork.current() is not None
    forked = run(request_for(engine, level))
    assert encode(*pack(forked)) == encode(*pack(recordings[engine, level]))


def test_pairs_saturate_in_eight_channels_below_vnni_and_never_on_qnnpack(recordings, reachable):
    exact = recordings["qnnpack", "avx2"].values[FC1]
    assert all(np.array_equal(recordings["qnnpack", at].values[FC1], exact) for at in reachable)
    for engine in ("fbgemm", "x86", "onednn"):
        saturated = recordings[engine, "avx2"].values[FC1]
        assert np.count_nonzero(saturated != exact) == 8


def test_the_recorded_integers_are_torchs_own(recordings, reachable):
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    modules = rebuild(read_model(MODELS / "iris_qat.pth"))
    torch.backends.quantized.engine = before
    recording = recordings["fbgemm", reachable[-1]]
    x = torch.from_numpy(recording.input.copy())
    layers = ("quant", "fc1", "relu", "fc2", "dequant")
    for path, value in zip(layers, recording.values, strict=True):
        x = modules[path](x)
        plain = x.int_repr() if x.is_quantized else x
        assert np.array_equal(plain.detach().numpy(), value)


def test_each_call_has_its_name_operands_line_and_parameters(recordings):
    program = recordings["fbgemm", "avx2"].program
    names = ["quant:quantize", "fc1:linear", "relu:relu", "fc2:linear", "dequant:dequantize"]
    assert [node.name for node in program.nodes] == names
    assert [node.inputs for node in program.nodes] == [(-1,), (0,), (1,), (2,), (3,)]
    source = (MODELS / "iris_qat.py").read_text().splitlines()
    for node, call in zip(program.nodes, ("quant", "fc1", "relu", "fc2", "dequant"), strict=True):
        file, _, line = node.source.partition(":")
        assert file == "iris_qat.py"
        assert f"self.{call}(" in source[int(line) - 1]
    assert [node.dtype for node in program.nodes] == ["quint8"] * 4 + ["float32"]
    assert program.nodes[FC1].output.scale.dtype == np.float64


def test_the_x86_engine_chooses_its_library_as_a_machine_of_that_level(reachable):
    """With VNNI it gives a convolution to oneDNN, without to FBGEMM, which stays silent here."""
    for level in reachable:
        said = json.loads(printed(level, "tests.capture.verbose", level, "x86", "onednn"))
        assert said == {"x86": level == "vnni", "onednn": True}


def test_a_kernel_of_another_level_than_the_forced_one_is_noticed(reachable):
    """Nothing is forced in this process: its kernels are the machine's own."""
    claimed = "avx2" if reachable[-1] == "vnni" else "vnni"
    with pytest.raises(CaptureError, match=f"kept to level {claimed}, made"):
        probe(choose_engine("fbgemm"), claimed)
    assert probe(choose_engine("qnnpack"), claimed) == "exact sums"
    choose_engine("x86")


def test_a_header_that_does_not_fit_the_library_is_noticed(monkeypatch):
    shifted = ["nothing"] * 3 + isa._names(HEADER)
    monkeypatch.setattr(isa, "_names", lambda header: shifted)
    with pytest.raises(CaptureError, match=r"is not where cpuinfo\.h says"):
        isa._flags()


def test_an_engine_that_torch_lacks_is_refused_with_those_it_has():
    with pytest.raises(CaptureError, match=r"'tpu'.*fbgemm"):
        run(request_for("tpu"))


def test_a_level_above_the_machines_is_refused_by_name_before_anything_starts(monkeypatch):
    monkeypatch.setattr(level_module, "machine_level", lambda: "avx2")
    monkeypatch.setattr(parent, "PYTHON", ("this must not be started",))
    with pytest.raises(CaptureError) as caught:
        run(request_for("fbgemm", "vnni"))
    assert "--cpu vnni is above this machine's level, avx2" in caught.value.message
    assert "--arith fbgemm-vnni" in caught.value.remedy


def test_native_is_the_machines_own_level():
    assert forced_level("native") == machine_level()


def test_another_processor_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(level_module.platform, "machine", lambda: "aarch64")
    with pytest.raises(CaptureError, match="processor is aarch64"):
        machine_level()


@pytest.mark.parametrize(
    ("flags", "level"),
    [
        ("avx2 fma", "avx2"),
        ("avx2 avx_vnni", "avx2"),
        ("avx2 avx512f avx512cd", "avx2"),
        ("avx2 avx512f avx512cd avx512dq avx512bw avx512vl", "avx512"),
        ("avx2 avx512f avx512cd avx512dq avx512bw avx512vl avx512_vnni amx_int8", "vnni"),
    ],
)
def test_the_level_follows_from_the_flags(monkeypatch, flags, level):
    monkeypatch.setattr(level_module, "machine_flags", lambda: frozenset(flags.split()))
    assert machine_level() == level


def test_a_processor_without_avx2_is_refused(monkeypatch):
    monkeypatch.setattr(level_module, "machine_flags", lambda: frozenset({"sse4_2"}))
    with pytest.raises(CaptureError, match="no AVX2"):
        machine_level()


def test_numpy_tells_the_same_level_where_there_is_no_proc_cpuinfo(monkeypatch, tmp_path):
    honest = machine_level()
    monkeypatch.setattr(level_module, "CPUINFO", tmp_path / "missing")
    assert machine_level() == honest


def test_an_unknown_level_is_refused():
    with pytest.raises(CaptureError, match="'sse'"):
        forced_level("sse")


def test_every_level_has_its_variables():
    assert set(VARIABLES) == set(LEVELS)
