"""Every kind of quantized module goes through the file and computes the same on every engine."""

import numpy as np
import pytest
import torch
import torch.ao.nn.intrinsic.quantized as nniq
import torch.ao.nn.intrinsic.quantized.dynamic as nniqd
import torch.ao.nn.quantized as nnq
import torch.ao.nn.quantized.dynamic as nnqd
import torch.ao.quantization as tq
from torch import nn

from qdbg.capture.rebuild import rebuild
from qdbg.core import packing
from qdbg.core.program import Layer
from qdbg.core.quantity import QParams, QTensor
from qdbg.reader import read_model
from tests.capture.kinds import filled, quint8, same, through_the_file
from tests.capture.whole import converted

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch announces the end of its dtypes
    pytest.mark.usefixtures("quick_conversions"),
]


@pytest.mark.parametrize(
    "make", [lambda: nniq.LinearLeakyReLU(4, 6, 0.2), lambda: nniq.LinearTanh(4, 6)]
)
def test_a_linear_with_an_activation_on_onednn(tmp_path, make):
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "onednn"
    try:
        live = filled(make())
        layer, found = through_the_file(live, tmp_path / "m.pth")
        x = quint8(5, 4)
        assert same(found(x), live(x))
        assert layer.settings.get("negative_slope", 0.2) == 0.2
    finally:
        torch.backends.quantized.engine = before


@pytest.mark.parametrize("kind", [nnqd.Linear, nniqd.LinearReLU])
@pytest.mark.parametrize("bias", [True, False])
def test_a_dynamic_linear(tmp_path, engine, kind, bias):
    live = filled(kind(4, 6), bias=bias)
    layer, found = through_the_file(live, tmp_path / "m.pth")
    x = torch.randn(5, 4)
    assert same(found(x), live(x))
    assert layer.output is None


def norms():
    def statistics(module):
        module.weight, module.bias = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(4))
        module.running_mean, module.running_var = torch.randn(4), torch.rand(4) + 0.1
        module.scale, module.zero_point = torch.tensor(0.2), torch.tensor(100)
        return module

    def affine(kind, *sizes):
        return kind(*sizes, nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(4)), 0.1, 99)

    return {
        "bn2d": (lambda: statistics(nnq.BatchNorm2d(4)), (4, 5, 5)),
        "bn3d": (lambda: statistics(nnq.BatchNorm3d(4)), (4, 3, 3, 3)),
        "bn_relu2d": (lambda: statistics(nniq.BNReLU2d(4)), (4, 5, 5)),
        "bn_relu3d": (lambda: statistics(nniq.BNReLU3d(4)), (4, 3, 3, 3)),
        "layer_norm": (lambda: affine(nnq.LayerNorm, (4,)), (5, 4)),
        "group_norm": (lambda: affine(nnq.GroupNorm, 2, 4), (4, 5, 5)),
        "instance_norm1d": (lambda: affine(nnq.InstanceNorm1d, 4), (4, 5)),
        "instance_norm2d": (lambda: affine(nnq.InstanceNorm2d, 4), (4, 5, 5)),
        "instance_norm3d": (lambda: affine(nnq.InstanceNorm3d, 4), (4, 3, 3, 3)),
    }


@pytest.mark.parametrize("name", norms())
def test_a_norm_keeps_its_statistics(tmp_path, name):
    make, shape = norms()[name]
    live = make().eval()
    layer, found = through_the_file(live, tmp_path / "m.pth")
    x = quint8(2, *shape)
    assert same(found(x), live(x))
    assert layer.parameters["weight"].tobytes() == live.weight.detach().numpy().tobytes()
    assert float(layer.output.scale) == float(live.scale)


ACTIVATIONS = {
    "hardswish": lambda: nnq.Hardswish(0.1, 3),
    "leaky_relu": lambda: nnq.LeakyReLU(0.1, 3, 0.2),
    "elu": lambda: nnq.ELU(0.1, 30, 0.7),
    "sigmoid": lambda: nnq.Sigmoid(0.004, 3),
    "softmax": lambda: nnq.Softmax(1, 0.004, 0),
    "relu6": nnq.ReLU6,
    "max_pool2d": lambda: nn.MaxPool2d((3, 2), stride=1, padding=1),
    "avg_pool2d": lambda: nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
    "adaptive": lambda: nn.AdaptiveAvgPool2d((2, None)),
    "upsample": lambda: nn.Upsample(size=(9, 7), mode="bilinear", align_corners=True),
    "nearest": lambda: nn.UpsamplingNearest2d(scale_factor=3),
    "pixel_shuffle": lambda: nn.PixelShuffle(2),
    "channel_shuffle": lambda: nn.ChannelShuffle(2),
    "reflection_pad": lambda: nn.ReflectionPad2d((1, 0, 2, 1)),
    "hardtanh": lambda: nn.Hardtanh(-0.5, 0.7),
    "flatten": lambda: nn.Flatten(2),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_or_a_pooling(tmp_path, name):
    live = ACTIVATIONS[name]().eval()
    _, found = through_the_file(live, tmp_path / "m.pth")
    x = quint8(2, 4, 6, 6)
    assert same(found(x), live(x))


OF_SIGNED = {
    "sigmoid": lambda: nnq.Sigmoid(1 / 256, -128),
    "elu": lambda: nnq.ELU(0.1, -5),
    "hardswish": lambda: nnq.Hardswish(0.1, -5),
    "leaky_relu": lambda: nnq.LeakyReLU(0.1, -5),
    "softmax": lambda: nnq.Softmax(1, 1 / 256, -128),
}


@pytest.mark.parametrize("name", OF_SIGNED)
def test_a_negative_zero_point_is_that_of_signed_bytes(tmp_path, name):
    live = OF_SIGNED[name]().eval()
    layer, found = through_the_file(live, tmp_path / "m.pth")
    x = torch.quantize_per_tensor(torch.randn(2, 4, 6), 0.05, -3, torch.qint8)
    assert same(found(x), live(x))
    assert layer.output.dtype == "qint8"


def test_prelu_has_quantized_slopes(tmp_path):
    live = nnq.PReLU(0.1, 3, 4)
    slopes = torch.quantize_per_tensor(torch.rand(4), 0.01, 2, torch.quint8)
    live.set_weight(slopes)
    layer, found = through_the_file(live, tmp_path / "m.pth")
    x = quint8(2, 4, 6)
    assert same(found(x), live(x))
    assert isinstance(layer.parameters["weight"], QTensor)


@pytest.mark.parametrize("dtype", [torch.quint8, torch.quint4x2])
@pytest.mark.parametrize("bag", [False, True])
def test_an_embedding_keeps_a_scale_for_each_row(tmp_path, dtype, bag):
    settings = tq.float_qparams_weight_only_qconfig
    if dtype is torch.quint4x2:
        settings = tq.float_qparams_weight_only_qconfig_4bit
    float_one = nn.EmbeddingBag(9, 6, mode="sum")
    float_one.qconfig = settings
    live = bagged = nnq.EmbeddingBag.from_float(float_one)
    if not bag:
        live = nnq.Embedding(9, 6, dtype=dtype)
        live.set_weight(bagged.weight())  # whose scales live no longer than `bagged`
    layer, found = through_the_file(live, tmp_path / "m.pth")
    x = torch.randint(0, 9, (3, 4))
    assert same(found(x), live(x))
    assert layer.parameters["weight_scale"].shape == (9,)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("both", [False, True])
def test_a_dynamic_recurrent_layer(tmp_path, engine, kind, both):
    net = nn.Sequential(kind(4, 6, 2, bidirectional=both)).eval()
    live = tq.quantize_dynamic(net, {kind}, dtype=torch.qint8)[0]
    layer, found = through_the_file(live, tmp_path / "m.pth")
    x = torch.randn(5, 3, 4)
    assert same(found(x), live(x))
    assert len(layer.parameters) == 8 * (1 + both)


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_a_dynamic_cell(tmp_path, engine, kind):
    net = nn.Sequential(kind(4, 6)).eval()
    live = tq.quantize_dynamic(net, {kind}, dtype=torch.qint8)[0]
    layer, found = through_the_file(live, tmp_path / "m.pth")
    x = torch.randn(3, 4)
    assert same(found(x), live(x))
    assert layer.parameters["weight_ih"].q.shape[1] == 4


class Static(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.lstm = nn.LSTM(4, 6, 2, bidirectional=True)

    def forward(self, x):
        found, _ = self.lstm(self.quant(x))
        return self.dequant(found)


def test_a_static_lstm_consists_of_ordinary_layers(tmp_path):
    x = torch.randn(5, 2, 4)
    live = converted(Static(), "x86", x)
    torch.save(live, tmp_path / "m.pth")
    found = rebuild(read_model(tmp_path / "m.pth"))
    q = live.quant(x)
    assert same(found["lstm"](q)[0], live.lstm(q)[0])


def test_parameters_survive_a_session(tmp_path):
    weight = QTensor(np.zeros((2, 3), np.int8), QParams.per_tensor(0.1, 0, "qint8"))
    layer = Layer("rnn", "x.LSTM", parameters={"w": weight, "b": np.ones(2, np.float32)})
    tensors = {}
    entry = packing._put_layer(tensors, layer)
    again = packing._get_layer(tensors, entry).parameters
    assert again["w"].q.tobytes() == weight.q.tobytes()
    assert float(again["w"].qparams.scale) == 0.1
    assert again["b"].tolist() == [1, 1]
