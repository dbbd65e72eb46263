"""A model that takes indices is given whole numbers as int64, and its run is one like any other."""

import numpy as np
import pytest
import torch
import torch.ao.nn.quantized as nnq
from torch import nn

from qdbg.capture import Request, capture_many
from qdbg.capture.indices import Giving
from qdbg.core.container import decode, encode
from qdbg.core.packing import pack, unpack
from qdbg.core.quantity import readonly
from qdbg.debugger import Debugger
from qdbg.engine.separate import _inputs
from qdbg.errors import CaptureError, CommandError
from qdbg.headless.show import show_text
from qdbg.samples import Sample

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes
ROWS = 5
INDICES = np.array([[0, 3, 4], [1, 1, 2]])


def given(values, name="--input x.npy"):
    return Sample(name, readonly(np.asarray(values, np.float32)), "")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    path = tmp_path_factory.mktemp("embedding") / "m.pth"
    table = nnq.EmbeddingBag.from_float(_observed(nn.EmbeddingBag(ROWS, 4)))
    torch.save(nn.Sequential(table, nnq.Quantize(0.02, 128, torch.quint8)), path)
    request = Request(path, None, False, "fbgemm", "avx2", given(INDICES), batch=1)
    (made,) = capture_many(request, lambda words: None, lambda: False)
    return made


def _observed(table):
    table.qconfig = torch.ao.quantization.float_qparams_weight_only_qconfig
    return table


@pytest.fixture
def recording(runs):
    return runs.recording(1)


def test_the_indices_are_int64_and_every_value_is_simulated(runs):
    assert runs.inputs.dtype == np.int64
    assert runs.inputs.tolist() == INDICES[:, None].tolist()
    for run in range(len(runs)):
        trace = Debugger(runs.recording(run)).trace
        assert (trace.exit_status, trace.nodes[0].op) == (0, "embedding_bag")
        assert "given to PyTorch as int64" in show_text(trace, "", None)


def test_they_come_back_from_a_file(recording):
    again = unpack(*decode(encode(*pack(recording)), "x"))
    assert (again.input.dtype, again.input.tolist()) == (np.int64, [INDICES[1].tolist()])


def test_another_index_may_be_asked_for_but_none_without_a_row(recording):
    debugger = Debugger(recording)
    assert "values change" in debugger.execute("set input[0,2] = 4").reason
    with pytest.raises(CommandError, match="a whole number from 0 to 4"):
        debugger.execute("set input[0,2] = 5")


def test_an_input_that_tells_causes_apart_holds_indices_that_have_rows(recording):
    found = next(_inputs(recording, np.random.default_rng(0)))
    assert found.dtype == np.int64
    assert set(found.reshape(-1).tolist()) <= {1, 2}


def refusing(words, tried):
    """Records nothing: PyTorch refuses float32 in these words, and takes integers."""

    def record(sample):
        tried.append(str(sample.values.dtype))
        if sample.values.dtype == np.float32:
            raise CaptureError("PyTorch could not run it") from RuntimeError(words)
        return sample.values

    return record


@pytest.mark.parametrize(
    "words",
    [
        "Expect 32 or 64 bit indices, but found Float instead.",
        "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long",
        "tensors used as indices must be long, int, byte or bool tensors",
    ],
)
def test_integers_are_given_once_pytorch_refused_floats_as_indices(words):
    tried, giving = [], Giving()
    assert giving(refusing(words, tried), given([[1, 2]])).tolist() == [[1, 2]]
    giving(refusing(words, tried), given([[3]]))
    assert tried == ["float32", "int64", "int64"]
    for numbers in ([[1.5]], [[2.0**24]]):
        with pytest.raises(CaptureError, match="numbers that are no indices"):
            giving(refusing(words, tried), given(numbers))


def test_another_refusal_is_told_as_it_is():
    tried = []
    with pytest.raises(CaptureError, match="could not run it"):
        Giving()(refusing("index 5 is out of bounds for dimension 1", tried), given([[1, 2]]))
    assert tried == ["float32"]
