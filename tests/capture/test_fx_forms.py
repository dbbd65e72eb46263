"""What torch.fx makes of a forward's forms is interpreted with the very same result."""

import pytest
import torch
import torch.ao.quantization as tq
import torch.nn.functional as F  # noqa: N812 - as users write it
from torch import nn
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from tests.capture.whole import by_qdbg

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch announces the end of its dtypes
    pytest.mark.usefixtures("quick_conversions"),
]


@pytest.fixture(params=["x86", "qnnpack"])
def engine(request):
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = request.param
    yield request.param
    torch.backends.quantized.engine = before


class Form(nn.Module):
    def __init__(self, function, *layers):
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.weight, self.bias = nn.Parameter(torch.rand(8)), nn.Parameter(torch.rand(8))

    def forward(self, x):
        return self.function(self, self.conv(x))


def chained(net, x):
    for layer in net.layers:
        x = layer(x)
    return x


FORMS = {
    "norms": (chained, nn.GroupNorm(2, 8), nn.InstanceNorm2d(8, affine=True), nn.LayerNorm(8)),
    "layer_norm": (lambda net, x: F.layer_norm(x, (8,), net.weight, net.bias),),
    "activations": (chained, nn.Hardswish(), nn.ELU(), nn.LeakyReLU(0.1), nn.PReLU(), nn.ReLU6()),
    "functions": (lambda net, x: F.hardsigmoid(F.elu(F.leaky_relu(F.hardswish(x), 0.2))),),
    "batch_norm": (lambda net, x: net.layers[0](x + 1), nn.BatchNorm2d(8)),
    "scalars": (lambda net, x: F.relu(x + 1.5) * 2.0,),
    "resizing": (lambda net, x: F.interpolate(x, scale_factor=2, mode="bilinear"),),
    "pools": (lambda net, x: F.adaptive_avg_pool2d(F.avg_pool2d(F.max_pool2d(x, 2), 2), 1),),
    "shapes": (lambda net, x: x.mean([2, 3]).unsqueeze(1).reshape(x.size(0), -1),),
    "moves": (lambda net, x: x.permute(0, 2, 3, 1).contiguous().transpose(1, 2),),
    "parts": (
        lambda net, x: torch.cat([x[:, 1:3, ..., ::2], torch.split(x[..., ::2], 4, 1)[1]], 1),
    ),
    "shuffles": (chained, nn.PixelShuffle(2), nn.ChannelShuffle(2), nn.Flatten(), nn.Dropout()),
    "padding": (lambda net, x: F.pad(x, (1, 1, 0, 2)),),
    "products": (lambda net, x: torch.matmul(x, x) * torch.sigmoid(x),),
    "clamps": (lambda net, x: torch.tanh(F.hardtanh(x.clamp(0, 1), -0.5, 0.5)),),
    "floats": (chained, nn.SELU(), nn.Mish(), nn.Softplus()),
    "choices": (lambda net, x: torch.where(x.roll(1, 2) > 0, x, x @ x.clamp_max(0.5)).amax(1),),
    "softmax": (lambda net, x: F.softmax(F.gelu(x), dim=1),),
}


def same_as_live(live, x, path):
    with torch.no_grad():
        wanted = live(x)
    torch.save(live, path)
    found, _, same = by_qdbg(path, x)
    assert same
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("name", FORMS)
def test_a_form(tmp_path, engine, name):
    torch.manual_seed(8)
    x = torch.randn(2, 3, 8, 8)
    prepared = prepare_fx(Form(*FORMS[name]).eval(), tq.get_default_qconfig_mapping(engine), (x,))
    prepared(x)
    same_as_live(convert_fx(prepared), x, tmp_path / "m.pth")


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.fc = nn.Embedding(9, 6), nn.Linear(6, 6)
        self.rnn = nn.LSTM(6, 5, batch_first=True)
        self.matrix, self.norm = nn.Parameter(torch.randn(3, 5)), nn.LayerNorm(3)

    def forward(self, x):
        found, _ = self.rnn(F.relu(self.fc(self.words(x.long()))))
        return self.norm(F.linear(found, self.matrix))


def test_dynamic_layers_beside_float_ones(tmp_path, engine):
    x = torch.tensor([[1.0, 2, 3], [4, 5, 8]])
    mapping = tq.QConfigMapping().set_global(tq.default_dynamic_qconfig)
    mapping.set_object_type(nn.Embedding, tq.float_qparams_weight_only_qconfig)
    live = convert_fx(prepare_fx(Words().eval(), mapping, (x,)))
    same_as_live(live, x, tmp_path / "m.pth")
