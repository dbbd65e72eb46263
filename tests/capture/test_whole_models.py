"""A whole eager model, saved by torch.save, gives the live model's own output on every engine."""

from pathlib import Path

import pytest
import torch

from tests.capture.nets import residual
from tests.capture.whole import by_qdbg, converted

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes
SOURCE = Path(residual.__file__)


@pytest.fixture(params=["fbgemm", "x86", "onednn", "qnnpack"])
def engine(request):
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = request.param
    yield request.param
    torch.backends.quantized.engine = before


def sample(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5))


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
    for name in ("blocks.1.downsample:conv2d", "pools.max:aten.max_pool2d", "fc:linear"):
        assert any(name.partition(":")[0] in each for each in names), name
