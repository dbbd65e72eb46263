"""Forwards beyond the plain ones: lists, helpers, recurrent layers, layers left in float32."""

from pathlib import Path

import pytest
import torch
import torch.ao.quantization as tq
from torch import nn

from qdbg.capture.rebuild import rebuild
from qdbg.errors import CaptureError
from qdbg.reader import read_model
from tests.capture.nets import mixed
from tests.capture.whole import by_qdbg, converted

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch announces the end of its dtypes
    pytest.mark.usefixtures("quick_conversions"),
]
SOURCE = Path(mixed.__file__)


@pytest.fixture(params=["fbgemm", "onednn", "qnnpack"])
def engine(request):
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = request.param
    yield request.param
    torch.backends.quantized.engine = before


def both(folder, live, x):
    """What the live model gives, and what qdbg makes of its file."""
    torch.save(live, folder / "net.pth")
    with torch.inference_mode():
        wanted = live(x)
    found, tape, same = by_qdbg(folder / "net.pth", x, SOURCE)
    assert same
    assert torch.equal(found, wanted)
    return tape


def test_lists_helper_methods_and_slices(tmp_path, engine):
    x = torch.randn(2, 3, 8, 8)
    tape = both(tmp_path, converted(mixed.Pyramid(), engine, x), x)
    names = [node.name for node in tape.nodes]
    assert any(name.startswith("heads.b:") for name in names)
    assert not any(name.startswith("heads.a:") for name in names)
    lines = SOURCE.read_text().splitlines()
    for node in tape.nodes:
        if node.layer.startswith("stages"):
            assert "stage(x)" in lines[int(node.source.rpartition(":")[2]) - 1]


def test_layers_that_were_left_in_float32(tmp_path, engine):
    live = mixed.Tail()
    x = torch.randn(2, 3, 9, 9)
    live.train()(x)  # statistics that are not those of a new layer
    live = converted_middle(live, engine, x)
    both(tmp_path, live, x)


def converted_middle(live, engine, x):
    live.eval()
    live.middle.qconfig = tq.get_default_qconfig(engine)
    tq.prepare(live, inplace=True)
    live(x)
    return tq.convert(live, inplace=True)


def test_a_recurrent_net_of_dynamic_layers(tmp_path, engine):
    live = tq.quantize_dynamic(mixed.Words().eval(), {nn.LSTM, nn.GRUCell, nn.Linear})
    tape = both(tmp_path, live, torch.tensor([[1.0, 4, 2], [8, 0, 3]]))
    names = [node.name for node in tape.nodes]
    assert {"rnn:hh_l1_reverse#3", "rnn:lstm_dynamic", "cell#3:ih", "cell#3:hh"} <= set(names)


def test_a_float_layer_without_its_weights_is_refused(tmp_path):
    live = nn.Sequential(nn.Identity(), mixed.nn.LSTM(3, 3))
    torch.save(live, tmp_path / "m.pth")
    with pytest.raises(CaptureError, match="1 is a LSTM that is not quantized"):
        rebuild(read_model(tmp_path / "m.pth"))
