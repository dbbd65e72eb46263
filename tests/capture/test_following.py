"""What unrecorded operations and decisions make of a run: numbers that follow from a changed one
are not shown as if they stayed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.ao.quantization import quantize_dynamic

from qdbg.capture import run
from qdbg.core.container import decode, encode
from qdbg.core.packing import pack, unpack
from qdbg.core.quantity import readonly
from qdbg.debugger import Debugger
from qdbg.engine.unseen import DECIDED, DERIVED
from qdbg.reader import read_model
from tests.capture.test_many import Decides, Early, Moved, Net, asked, converted, prepared, silent

pytestmark = pytest.mark.filterwarnings("ignore")  # torch announces the end of its dtypes
SAMPLE = np.array([[0.5, -1, 2, 0.25]], np.float32)


class Counts(Net):
    def between(self, x):
        return x if len(x.nonzero()) else -x


class ByInput(Net):
    def forward(self, x):
        return super().forward(x) if float(x[0, 0]) > 0 else self.d1(self.q1(x))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.fc = nn.LSTM(4, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(self.lstm(torch.stack([x, -x, x]))[0][-1])


def static(kind):
    return converted(kind(), (4,))


def dynamic(kind):
    return quantize_dynamic(kind().eval(), {nn.LSTM, nn.Linear})


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    """What records a net, with the recording written and read again."""
    kernels = "fbgemm", "exact sums"
    monkeypatch.setattr(run, "choose_kernels", lambda request, progress: kernels)
    path = tmp_path / "net.pth"
    torch.save(nn.Sequential(), path)
    request = asked(readonly(SAMPLE), model=path, cpu="vnni")

    def record(kind, quantized=static):
        torch.manual_seed(2)
        net = quantized(kind)
        monkeypatch.setattr(run, "prepare", lambda model, forward: prepared(net))
        made = run.record(request, read_model(path), None, silent)
        return unpack(*decode(encode(*pack(made)), "test"))

    return record


@pytest.mark.parametrize(
    ("kind", "change", "name", "why"),
    [
        (Net, "fc1:linear[0] = 255", "q2:quantize", None),
        (Moved, "fc1:linear[0] = 255", "q2:quantize", DERIVED),
        (Decides, "fc1:linear[0] = 255", "q2:quantize", DECIDED),
        (Counts, "fc1:linear[0] = 255", "q2:quantize", DECIDED),
        (Early, "input[0] = 3", "q1:quantize", DERIVED),
        (ByInput, "input[1] = 3", "q1:quantize", DECIDED),
        (ByInput, "fc1:linear[0] = 255", "q2:quantize", None),
    ],
)
def test_a_changed_number_ends_where_what_follows_is_not_recorded(
    kind, change, name, why, recorded
):
    debugger = Debugger(recorded(kind))
    debugger.execute(f"set {change}")
    trace = debugger.trace
    call = [node.name for node in trace.nodes].index(name)
    assert trace.comparisons[call].reason == why
    assert (trace.changed[call] is None) == (why is not None)


def test_differences_that_are_fed_on_end_there_too(recorded):
    made = recorded(Moved)
    names = [node.name for node in made.program.nodes]
    before, call = names.index("d1:dequantize"), names.index("q2:quantize")
    assert Debugger(made, feed="simulated").trace.comparisons[call].status == "equal"
    values = list(made.values)
    values[before] = readonly(made.values[before] + 1)
    other = Debugger(replace(made, values=tuple(values)), feed="simulated")
    assert other.trace.comparisons[call].reason == DERIVED


@pytest.mark.parametrize("part", ["ih_l0[0,0,0]", "hh_l0#2[0,0]", "hh_l0#3[0,0]"])
def test_a_changed_part_inside_a_recurrent_call_reaches_what_takes_its_result(part, recorded):
    debugger = Debugger(recorded(Recurrent, dynamic))
    debugger.execute(f"set lstm:{part} = 30")
    trace = debugger.trace
    assert trace.nodes[-1].name == "fc:linear_dynamic"
    assert trace.comparisons[-1].reason == DERIVED
    assert trace.changed[-4:] == (None,) * 4


def test_a_part_that_differs_from_pytorchs_reaches_it_too(recorded):
    made = recorded(Recurrent, dynamic)
    assert Debugger(made, feed="simulated").trace.comparisons[-1].status == "equal"
    values = list(made.values)
    last = len(values) - 5
    values[last] = readonly(made.values[last] + 1)
    other = Debugger(replace(made, values=tuple(values)), feed="simulated")
    assert other.trace.comparisons[-1].reason == DERIVED
