"""Convolutions: honest states are read bit for bit, those that lie are refused by name."""

import numpy as np
import pytest
import torch
import torch.ao.nn.quantized as nnq
from torch import nn

from qdbg.errors import ModelError
from qdbg.reader import read_model
from tests.reader import crafted as c

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")  # torch on quantization
CONV = "torch.ao.nn.quantized.modules.conv Conv2d"
BATCH = "torch.ao.nn.quantized.modules.batchnorm BatchNorm2d"
EMBEDDING = "torch.ao.nn.quantized.modules.embedding_ops Embedding"
LSTM = "torch.ao.nn.quantized.dynamic.modules.rnn LSTM"


def weight(**changes):
    parts = {"size": (2, 3, 1, 1), "stride": (3, 1, 1, 1)} | changes
    return c.weight(**parts)


def conv(kind=CONV, parts=15, **changes):
    """A convolution of 3 channels to 2, the state as torch writes it, with one lie."""
    state = {
        "in_channels": c.number(3),
        "out_channels": c.number(2),
        "kernel_size": c.counts((1, 1)),
        "stride": c.counts((1, 1)),
        "padding": c.counts((0, 0)),
        "dilation": c.counts((1, 1)),
        "transposed": c.FALSE,
        "output_padding": c.counts((0, 0)),
        "groups": c.number(1),
        "padding_mode": c.text("zeros"),
        "weight": weight(),
        "bias": c.bias(),
        "scale": c.real(0.1),
        "zero_point": c.number(97),
        "training": c.FALSE,
    } | changes
    return c.new(kind, c.group(*list(state.values())[:parts]))


def read(tmp_path, layer):
    path = tmp_path / "m.pth"
    path.write_bytes(c.archive(c.net(layer)))
    return read_model(path).layers["fc"]


def test_the_crafted_convolution_without_a_lie_is_read(tmp_path):
    layer = read(tmp_path, conv())
    assert layer.weight.q.reshape(-1).tolist() == [-128, -3, 0, 1, 5, 127]
    assert layer.bias.tolist() == [0.5, -1.5]
    assert layer.settings["kernel_size"] == [1, 1]
    assert (float(layer.output.scale), int(layer.output.zero_point)) == (0.1, 97)


SCALES = c.tensor("DoubleStorage", "scales", 2, (2,))
ZEROS = c.tensor("LongStorage", "zeros", 2, (2,))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"parts": 14}, "no int8 weights"),
        ({"parts": 0}, "no int8 weights"),
        ({"in_channels": c.number(4)}, "expected [2, 4, 1, 1]"),
        ({"out_channels": c.number(3)}, "expected [3, 3, 1, 1]"),
        ({"in_channels": c.real(3.0)}, "in_channels '3.0'"),
        ({"in_channels": c.number(-3)}, "in_channels '-3'"),
        ({"in_channels": c.TRUE}, "in_channels 'True'"),
        ({"groups": c.number(0)}, "groups '0'"),
        ({"groups": c.number(2)}, "2 groups of 3 and 2 channels"),
        ({"groups": c.number(2**40)}, "groups '1099511627776'"),
        ({"kernel_size": c.counts((3, 3))}, "expected [2, 3, 3, 3]"),
        ({"kernel_size": c.counts((1,))}, "kernel_size '(1,)'"),
        ({"kernel_size": c.number(1)}, "kernel_size '1'"),
        ({"kernel_size": c.counts((0, 1))}, "kernel_size '(0, 1)'"),
        ({"stride": c.counts((-1, 1))}, "stride '(-1, 1)'"),
        ({"stride": c.counts((0, 1))}, "stride '(0, 1)'"),
        ({"stride": c.group(c.real(1.0), c.number(1))}, "stride '(1.0, 1)'"),
        ({"stride": c.NONE}, "stride 'None'"),
        ({"padding": c.counts((2**31, 0))}, "padding '(2147483648, 0)'"),
        ({"padding": c.text("same")}, "padding 'same'"),
        ({"dilation": c.counts((0, 1))}, "dilation '(0, 1)'"),
        ({"output_padding": c.counts((-1, 0))}, "output_padding '(-1, 0)'"),
        ({"padding_mode": c.text("circular")}, "padding_mode 'circular'"),
        ({"padding_mode": c.number(3)}, "padding_mode '3'"),
        ({"transposed": c.TRUE}, "transposed=True"),
        ({"transposed": c.number(0)}, "transposed=0"),
        ({"weight": c.weight()}, "qint8 with 2 axes"),
        ({"weight": weight(size=(2, 3, 2**20, 2**20))}, "larger than the numbers"),
        ({"weight": weight(numel=600)}, "600"),
        ({"weight": weight(stride=(3, 1, 1, 2**40), size=(2, 3, 1, 2))}, "larger than"),
        ({"weight": weight(kind="QUInt8Storage")}, "quint8"),
        ({"weight": weight(qparams=c.per_tensor(float("nan")))}, "scale nan"),
        ({"weight": weight(qparams=c.per_tensor(0.1, 300))}, "zero point 300"),
        ({"weight": weight(qparams=c.per_channel(SCALES, ZEROS, 1))}, "2 scales"),
        ({"weight": weight(qparams=c.per_channel(SCALES, ZEROS, 9))}, "axis 9"),
        ({"weight": c.NONE}, "not a quantized tensor"),
        ({"bias": c.bias(numel=1, size=(1,), key="one")}, "float32 [1]"),
        ({"bias": c.number(1)}, "not a tensor"),
        ({"scale": c.real(0.0)}, "scale 0.0"),
        ({"zero_point": c.number(256)}, "zero point 256"),
        ({"kind": "torch.ao.nn.quantized.modules.conv Conv3d"}, "kernel_size '(1, 1)'"),
        ({"kind": "torch.ao.nn.quantized.modules.conv ConvTranspose2d"}, "transposed=False"),
        ({"kind": "torch.ao.nn.quantized.modules.conv Conv9d"}, "which qdbg does not read"),
    ],
)
def test_a_state_that_lies_is_refused(tmp_path, changes, says):
    path = tmp_path / "m.pth"
    path.write_bytes(c.archive(c.net(conv(**changes)), {"one": bytes(4)}))
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert says in caught.value.message
    assert len(caught.value.message.splitlines()) <= 2


def buffers(**changes):
    four = {name: c.bias() for name in ("running_mean", "running_var")}
    return c.table(four | {"scale": c.bias(numel=2), **changes})


def norm(held, **settings):
    parts = c.table({name: c.bias() for name in ("weight", "bias")})
    return c.module(BATCH, _parameters=parts, _buffers=held, num_features=c.number(2), **settings)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (norm(c.table({"running_mean": c.bias()})), "running_var is missing"),
        (norm(buffers(running_var=c.weight())), "running_var is missing"),
        (norm(buffers(running_mean=c.tensor("DoubleStorage", "scales", 2, (2,)))), "float64 [2]"),
        (norm(buffers(running_mean=c.tensor("LongStorage", "zeros", 2, (2,)))), "int64 [2]"),
        (norm(buffers(running_mean=c.bias(size=(2**30,)))), "larger than the numbers"),
        (c.module(BATCH, num_features=c.number(2)), "weight is missing"),
        (c.module(EMBEDDING), "no packed table"),
        (c.module(LSTM), "0 packed weights for None layers"),
        (c.module(LSTM, num_layers=c.number(10**9)), "0 packed weights for 1000000000 layers"),
    ],
)
def test_a_layer_without_its_tensors_is_refused(tmp_path, layer, says):
    with pytest.raises(ModelError) as caught:
        read(tmp_path, layer)
    assert says in caught.value.message


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_every_number_is_what_torch_says(tmp_path, axes):
    kind = (nnq.Conv1d, nnq.Conv2d, nnq.Conv3d)[axes - 1]
    live = kind(4, 6, 3, stride=2, padding=1, dilation=2, groups=2)
    w = torch.randint(-128, 128, (6, 2, *[3] * axes), dtype=torch.int8)
    scales = torch.rand(6).double()
    zeros = torch.zeros(6, dtype=torch.int64)
    live.set_weight_bias(torch._make_per_channel_quantized_tensor(w, scales, zeros, 0), None)
    torch.save(nn.Sequential(live), tmp_path / "m.pth")
    layer = read_model(tmp_path / "m.pth").layers["0"]
    assert np.array_equal(layer.weight.q, w.numpy())
    assert np.array_equal(layer.weight.qparams.scale, scales.numpy())
    assert layer.bias is None
    for name in ("in_channels", "out_channels", "groups", "padding_mode"):
        assert layer.settings[name] == getattr(live, name)
    for name in ("kernel_size", "stride", "padding", "dilation", "output_padding"):
        assert layer.settings[name] == list(getattr(live, name))
