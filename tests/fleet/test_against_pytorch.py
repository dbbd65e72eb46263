"""Predictions equal what PyTorch gives on every engine and every level that can be forced here."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.ao.quantization as tq

from qdbg.capture.level import machine_level
from qdbg.cli import main
from qdbg.names import ENGINES, LEVELS
from tests.capture.helpers import MODELS
from tests.fleet import nets

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes
SOURCE = Path(nets.__file__)
REACHED = LEVELS[: LEVELS.index(machine_level()) + 1]
CELLS = {f"{engine}-{level}" for level in REACHED for engine in ENGINES}
LOUD = 0.25
"""Weights of this size, all of one sign in half of the channels."""


@pytest.fixture
def predicted(capsys):
    def run(*argv):
        status = main(["predict", *map(str, argv), "--json"])
        out, err = capsys.readouterr()
        assert status in {0, 1, 3}, err
        return json.loads(out)

    return run


def converted():
    torch.manual_seed(1)
    net = nets.Loud().eval()
    with torch.no_grad():
        for layer in (net.conv1, net.conv2, net.narrow, net.fc):
            signs = torch.ones(len(layer.weight)).reshape(-1, *[1] * (layer.weight.ndim - 1))
            signs[::2] = -1
            layer.weight.copy_(signs * LOUD * torch.rand_like(layer.weight).clamp(0.3))
    net.qconfig = tq.QConfig(
        activation=tq.MinMaxObserver.with_args(dtype=torch.quint8),
        weight=tq.default_per_channel_weight_observer,
    )
    tq.prepare(net, inplace=True)
    net(torch.rand(20, 3, 6, 6))
    return tq.convert(net, inplace=True)


@pytest.fixture(scope="module")
def loud(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loud")
    torch.save(converted(), folder / "loud.pth")
    images = np.random.default_rng(3).uniform(0, 1, (12, 3, 6, 6)).astype(np.float32)
    np.savez(folder / "images.npz", images=images, y=np.arange(12) % 5)
    return folder


def test_every_integer_of_all_rows_of_iris(predicted):
    """From an engine of exact sums to those that saturate, which is all that a VNNI machine has to
    go by."""
    found = predicted(
        MODELS / "iris_qat.pth", "--samples", "iris", "--engine", "qnnpack", "--verify"
    )
    verified = {each["machine"]: each for each in found["verified"]}
    assert set(verified) == CELLS
    for each in verified.values():
        told = (each["samples"], each["differences"], each["not_predicted"], each["other_calls"])
        assert told == (150, 0, 0, [])
        assert each["values"] > 6000
    machines = {each["machine"]: each for each in found["machines"]}
    assert set(machines) == {f"{engine}-{level}" for level in LEVELS for engine in ENGINES}
    assert machines["fbgemm-avx2"]["differences"] > 2000
    assert machines["fbgemm-avx2"]["outputs"]["classes_changed"] > 40


def test_every_integer_of_a_convolutional_net_in_batches(predicted, loud):
    """Captured on FBGEMM at AVX2, the reverse of the direction that a user takes first; the last
    batch is smaller than the others."""
    found = predicted(
        loud / "loud.pth", "--samples", loud / "images.npz", "--source", SOURCE,
        "--engine", "fbgemm", "--cpu", "avx2", "--batch", "5", "--verify",
    )  # fmt: skip
    assert found["samples"]["batch"] == 5
    for each in found["verified"]:
        assert each["refused"] is None, each
        assert each["differences"] == 0, each
        assert (each["other_calls"], each["samples"]) == ([], 12)
        assert each["values"] > 3000 or each["not_predicted"]
    whole = [each for each in found["verified"] if not each["not_predicted"]]
    assert len(whole) > len(CELLS) / 2
    (captured,) = (each for each in found["machines"] if each["machine"] == "fbgemm-avx2")
    assert captured["differences"] == captured["not_simulated"] == 0
    saturating = [call for call in captured["calls"] if call["pairs"]]
    assert {call["name"].partition(":")[0] for call in saturating} >= {"conv1", "conv2", "fc"}
    exact = next(each for each in found["machines"] if each["machine"] == "fbgemm-vnni")
    assert exact["differences"] > 100
    assert exact["outputs"]["samples"] == exact["outputs"]["labelled"] == 12
