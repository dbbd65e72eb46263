"""A whole eager model, saved by torch.save, gives the live model's own output on every engine."""

from pathlib import Path

import pytest
import torch
import torch.ao.nn.quantized as nnq
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from qdbg.capture import Request, capture
from qdbg.capture.quantities import check_parameters
from qdbg.core.quantity import QParams, readonly
from qdbg.errors import CaptureError
from qdbg.samples import Sample
from tests.capture.nets import residual
from tests.capture.whole import by_qdbg, converted

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch announces the end of its dtypes
    pytest.mark.usefixtures("quick_conversions"),
]
SOURCE = Path(residual.__file__)


def sample(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    ("scale", "zero_point", "words", "expected"),
    [
        (1 / 256, -128, "zero point -128", "0 to 255"),
        (1 / 256, 256, "zero point 256", "0 to 255"),
        (-0.5, 3, "scale -0.5", "a finite number above 0"),
        (0.0, 3, "scale 0.0", "a finite number above 0"),
        (float("inf"), 3, "scale inf", "a finite number above 0"),
        (float("nan"), 3, "scale nan", "a finite number above 0"),
    ],
)
def test_parameters_that_stand_for_no_numbers_are_refused_where_pytorch_goes_on(
    scale, zero_point, words, expected
):
    """PyTorch gives such results; no recording holds them."""
    with pytest.raises(CaptureError, match=f"gives a quint8 tensor of {words}") as refused:
        check_parameters("1:sigmoid", QParams.per_tensor(scale, zero_point))
    assert refused.value.expected == expected


def test_the_layer_is_named_whose_result_has_such_parameters(tmp_path):
    sigmoid = nnq.Sigmoid(1 / 256, -128)
    model = torch.nn.Sequential(nnq.Quantize(0.05, 3, torch.quint8), sigmoid)
    path = tmp_path / "net.pth"
    torch.save(model, path)
    x = sample(1, 4)
    assert model(x).q_zero_point() == -128
    given = Sample("four", readonly(x.numpy()), "")
    request = Request(path, None, False, "fbgemm", "native", given)
    with pytest.raises(CaptureError, match="1:sigmoid gives a quint8 tensor of zero point -128"):
        capture(request, lambda _: None, lambda: False)


def test_a_residual_net_gives_the_live_models_output_on_every_engine(tmp_path, engine):
    torch.manual_seed(3)
    x = sample(2, 3, 16, 16)
    live = converted(residual.Net(), engine, x)
    torch.save(live, tmp_path / "net.pth")
    with torch.inference_mode():
        wanted = live(x)
    found, tape, same = by_qdbg(tmp_path / "net.pth", x, SOURCE)
    assert same
    assert torch.equal(found, wanted)
    names = [node.name for node in tape.nodes]
    assert [name for name in names if name.startswith("shared")] == [
        "shared:conv2d",
        "shared#2:conv2d",
    ]
    for path in ("blocks.1.downsample", "pools.max", "cat", "fc"):
        assert any(name.startswith(f"{path}:") for name in names), path


def saved(model, path):
    torch.save(model, path)
    return path


class Straight(torch.nn.Module):
    """For torch.fx: a block, functional calls, packed weights without a layer, indexed layers."""

    def __init__(self):
        super().__init__()
        nn = torch.nn
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(8, 4, 2)
        self.kernel, self.bias = nn.Parameter(torch.randn(8, 4, 3, 3)), nn.Parameter(torch.randn(8))
        self.matrix = nn.Parameter(torch.randn(16, 16))
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        f = torch.nn.functional
        x = self.features(x)
        x = f.relu(self.conv(x) + x)
        x = f.avg_pool2d(f.max_pool2d(x, 2), 2, stride=1)
        x = f.conv2d(self.up(x), self.kernel, self.bias, (1, 1), (1, 1), (1, 1), 1)
        x = torch.cat([x, x], dim=1)
        x = f.adaptive_avg_pool2d(x, (1, 1)).flatten(1)
        x = f.gelu(self.fc(f.linear(x, self.matrix)))
        x = torch.sigmoid(x)
        return torch.softmax(x * x, dim=-1)


def test_an_fx_model_runs_by_the_forward_in_its_own_file(tmp_path, engine):
    torch.manual_seed(4)
    x = sample(2, 3, 8, 8)
    mapping = get_default_qconfig_mapping("qnnpack" if engine == "qnnpack" else "x86")
    prepared = prepare_fx(Straight().eval(), mapping, (x,))
    prepared(x)
    live = convert_fx(prepared)
    with torch.inference_mode():
        wanted = live(x)
    found, tape, same = by_qdbg(saved(live, tmp_path / "fx.pth"), x)
    assert same
    assert torch.equal(found, wanted)
    ops = [node.op for node in tape.nodes]
    assert any(op.endswith("conv2d") for op in ops)
    assert any(op.endswith("add_relu") for op in ops)
    assert all(node.source.startswith("fx.pth:forward:") for node in tape.nodes)
