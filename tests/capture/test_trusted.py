"""With --trust-source the user's classes run as Python, but not the training around them."""

import pytest
import torch

from qdbg.capture.run import prepare, watch
from qdbg.capture.tape import Tape
from qdbg.capture.trusted import load_definitions
from qdbg.core.program import Layer, Model
from qdbg.errors import CaptureError
from tests.capture.torch_models import decoded, linear, sequence

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes

SOURCE = '''
"""A net whose forward no interpreter follows."""
from __future__ import annotations
import torch
try:
    import no_such_package
except ImportError:
    pass
WIDTH = 4
DATA = open("data.csv").read()
class Block(torch.nn.Module):
    def forward(self, x):
        return torch.relu(self.fc(x))
class Net(torch.nn.Module):
    def __init__(self):
        raise RuntimeError("never called")
    def forward(self, x):
        x, *_ = map(self.quant, [x])
        return self.block(x).dequantize()
raise SystemExit("training")
'''


class Trusted:
    trusted = True
    class_name = "Net"

    def __init__(self, path):
        self.source_path = path


def own(path, kind):
    return Layer(path, f"__main__.{kind}")


@pytest.fixture
def model():
    inner = decoded(sequence(linear(4, 3))).layers
    quant, fc = inner["0"], inner["1"]
    parts = {
        "quant": Layer("quant", quant.class_name, output=quant.output),
        "block": own("block", "Block"),
        "block.fc": Layer("block.fc", fc.class_name, fc.weight, fc.bias, fc.output, fc.settings),
    }
    return Model("net.pth", "0" * 64, {"": own("", "Net"), **parts})


def test_its_forward_runs_and_lines_are_those_of_the_file(tmp_path, model):
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    backend, modules, run, line_of = prepare(model, Trusted(path))
    x = torch.ones(2, 4)
    with torch.inference_mode():
        tape = Tape(modules, x, lambda text: None, line_of)
        assert watch(run, backend, tape, x, lambda text: None)
    found = [(node.name, node.source) for node in tape.nodes]
    assert found == [
        ("quant:quantize", "net.py:18"),
        ("block.fc:linear", "net.py:13"),
        ("block:relu", "net.py:13"),
        ("forward:dequantize", "net.py:19"),
    ]


def test_only_definitions_are_run(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(SOURCE)
    names = load_definitions(path)
    assert names["WIDTH"] == 4
    assert "DATA" not in names


@pytest.mark.parametrize("text", ["import no_such_package", "class Net(:", "class A(B): pass"])
def test_a_file_whose_definitions_fail_is_refused_by_name(tmp_path, text):
    path = tmp_path / "net.py"
    path.write_text(text)
    with pytest.raises(CaptureError, match=r"net\.py"):
        load_definitions(path)


def test_a_class_without_a_forward_of_its_own_is_refused(tmp_path, model):
    path = tmp_path / "net.py"
    path.write_text("import torch\nclass Net(torch.nn.Module):\n    pass\n")
    backend, modules, run, line_of = prepare(model, Trusted(path))
    x = torch.ones(2, 4)
    with pytest.raises(CaptureError, match="could not run"):
        watch(run, backend, Tape(modules, x, lambda text: None, line_of), x, lambda text: None)
