"""Many samples in one child: each as if it ran alone, and what unrecorded operations made."""

import numpy as np
import pytest
import torch
import torch.ao.quantization as tq
from torch import nn

from qdbg.capture import Request, capture, capture_many, many, parent
from qdbg.capture.chain import Unfit
from qdbg.core.container import decode, encode
from qdbg.core.quantity import readonly
from qdbg.core.runs import pack_runs, unpack_runs
from qdbg.errors import CaptureError
from qdbg.fleet.feed import Fleet, Machine
from qdbg.fleet.sweep import sweep_part
from qdbg.reader import read_model
from qdbg.samples import Sample
from qdbg.sets import sample_set
from tests.capture.helpers import MODELS
from tests.released import HERE

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch announces the end of its dtypes
    pytest.mark.usefixtures("quick_conversions"),
]


def silent(words):
    pass


def asked(values, batch=1, **changes):
    fields = {"source": None, "trust": False, "engine": "fbgemm", "cpu": "avx2"} | changes
    model = fields.pop("model", MODELS / "iris_qat.pth")
    return Request(model, sample=Sample("s", readonly(values), ""), batch=batch, **fields)


def test_each_run_is_what_it_is_alone():
    """Batches of 3 leave one of 1 at the end, which makes calls of its own shape; the second batch
    is recorded by the calls of the first one."""
    rows, batch = 7, 3
    values = sample_set("iris").values[48 : 48 + rows]
    portions = list(capture_many(asked(values, batch), silent, lambda: False))
    starts = [s for runs in portions for s in runs.samples.tolist()]
    assert starts == list(range(0, rows, batch))
    for runs in portions:
        assert runs.first.environment.unperturbed
        for run, start in enumerate(runs.samples.tolist()):
            lot = asked(values[start : start + batch], 0)
            alone = capture(lot, silent, lambda: False)
            assert runs.inputs[run].tobytes() == alone.input.tobytes()
            for own, wanted in zip(runs.values, alone.values, strict=True):
                assert own[run].tobytes() == wanted.tobytes()
        assert runs.links.outputs == (len(runs.nodes) - 1,)
        assert runs.links.whole


def test_a_sample_that_does_not_fit_the_model_is_refused_in_plain_words():
    with pytest.raises(CaptureError, match="layer fc1 is given a value of shape"):
        list(capture_many(asked(np.zeros((3, 5), np.float32)), silent, lambda: False))


def test_it_stops_when_it_is_not_wanted():
    with pytest.raises(parent.Cancelled):
        list(capture_many(asked(sample_set("iris").values), silent, lambda: True))


# --------------------------------------------------------------- in this process, by hand


def converted(net, shape):
    net = net.eval()
    net.qconfig = tq.get_default_qconfig("fbgemm")
    tq.prepare(net, inplace=True)
    net(torch.randn(20, *shape, generator=torch.Generator().manual_seed(1)))
    return tq.convert(net, inplace=True)


class Net(nn.Module):
    """Quantized, then unrecorded, then quantized again."""

    def __init__(self):
        super().__init__()
        self.q1, self.d1, self.q2, self.d2 = (
            *(tq.QuantStub(), tq.DeQuantStub()),
            *(tq.QuantStub(), tq.DeQuantStub()),
        )
        self.fc1, self.fc2 = nn.Linear(4, 4), nn.Linear(4, 3)

    def between(self, x):
        return x

    def forward(self, x):
        return self.d2(self.fc2(self.q2(self.between(self.d1(self.fc1(self.q1(x)))))))


class Moved(Net):
    def between(self, x):
        return x.flip(1) * 0.5


class Rounded(Net):
    def between(self, x):
        return torch.tanh(x)


class Early(Net):
    def forward(self, x):
        return self.d1(self.fc1(self.q1(torch.sigmoid(x))))


class Reshaped(Net):
    def forward(self, x):
        return self.d1(self.fc1(self.q1(x.reshape(-1, 4) / 2)))


class Late(Net):
    def forward(self, x):
        return torch.softmax(self.d1(self.fc1(self.q1(x))), 1)


class Decides(Net):
    def between(self, x):
        return x if float(x.sum()) > 0 else -x


class WrittenOver(Net):
    def between(self, x):
        return x.mul_(2)


def recorded(net, monkeypatch, tmp_path, values, batch=1):
    """Without a child: the real modules, and a plain call of them as forward."""
    monkeypatch.setattr(many, "choose_kernels", lambda request, progress: ("fbgemm", "exact sums"))
    monkeypatch.setattr(many, "prepare", lambda model, forward: prepared(net))
    path = tmp_path / "net.pth"
    torch.save(nn.Sequential(), path)
    request = asked(values, batch, model=path, cpu="vnni")
    return list(many.record_many(request, read_model(path), None, silent))


def prepared(net):
    class Nothing:
        tape = None

    return Nothing(), dict(net.named_modules()), net, None


class InputWrittenOver(Net):
    def forward(self, x):
        return super().forward(x.mul_(2))


NAME = "fbgemm-vnni"
VALUES = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Net, (0, 0, True)),
        (Moved, (1, 0, True)),
        (Rounded, (1, 1, True)),
        (Early, (0, 1, True)),
        (Reshaped, (0, 0, True)),
        (Late, (0, 0, False)),
        (WrittenOver, (1, 0, True)),
        (InputWrittenOver, (0, 0, True)),
    ],
)
def test_what_unrecorded_operations_made_is_told(kind, told, monkeypatch, tmp_path):
    """How many constants are derived, how many computed, and whether the output is recorded."""
    torch.manual_seed(2)
    (runs,) = recorded(converted(kind(), (4,)), monkeypatch, tmp_path, VALUES)
    links = runs.links
    assert len(runs) == len(VALUES)
    assert (len(links.derived), len(links.computed), links.whole) == told
    assert links.decided is None
    for number in (*links.derived, *links.computed):
        assert runs.constants[number].shape[0] == len(VALUES)
    assert runs.first.environment.unperturbed
    for _, (found,) in Fleet(runs, [Machine(NAME, HERE[NAME])], "simulated").calls():
        assert not found.unknown
    assert not sum(each.differences for each in sweep_part(runs, [NAME], "simulated")[0].values())
    again = unpack_runs(*decode(encode(*pack_runs(runs)), "test"))
    assert again.links == links
    assert all(a.tobytes() == b.tobytes() for a, b in zip(again.values, runs.values, strict=True))


def test_a_decision_by_numbers_is_told(monkeypatch, tmp_path):
    torch.manual_seed(2)
    portions = recorded(converted(Decides(), (4,)), monkeypatch, tmp_path, VALUES)
    names = [node.name for node in portions[0].nodes]
    assert all(runs.links.decided == names.index("d1:dequantize") + 1 for runs in portions)


class Secretly(Net):
    def between(self, x):
        return x if x.tolist()[0][0] > 0 else -x


class Scaled(Net):
    """The scale follows from the numbers, through operations that give tensors alone."""

    def between(self, x):
        y = torch.quantize_per_tensor_dynamic(x, torch.quint8, False)
        return y.dequantize()


class Random(Net):
    def between(self, x):
        return torch.dropout(x, 0.5, train=True)


def tapes_of(net, monkeypatch, tmp_path):
    """How many of the samples were recorded on tape, and what was recorded."""
    taped = []
    watch = many.watch
    with monkeypatch.context() as patch:
        patch.setattr(many, "watch", lambda *given: taped.append(given) or watch(*given))
        portions = recorded(net, patch, tmp_path, VALUES)
    return len(taped), portions


@pytest.mark.parametrize(
    ("kind", "tapes"),
    [
        *((Net, 1), (Moved, 1), (Rounded, 1), (Early, 1), (Reshaped, 1), (Late, 1)),
        *((Decides, 6), (WrittenOver, 6), (InputWrittenOver, 6), (Random, 6), (Scaled, 6)),
    ],
)
def test_what_a_forward_computes_without_a_decision_takes_one_tape(
    kind, tapes, monkeypatch, tmp_path
):
    """And gives the same recordings as a tape for each sample."""
    torch.manual_seed(2)
    net = converted(kind(), (4,))
    count, portions = tapes_of(net, monkeypatch, tmp_path)
    assert count == tapes
    if kind is Random:
        assert not any(runs.first.environment.unperturbed for runs in portions)
        return
    monkeypatch.setattr(many, "Chain", refusing)
    wanted = recorded(net, monkeypatch, tmp_path, VALUES)
    assert [content(runs) for runs in portions] == [content(runs) for runs in wanted]


def test_a_decision_that_nobody_saw_is_found_in_the_result(monkeypatch, tmp_path):
    torch.manual_seed(2)
    net = converted(Secretly(), (4,))
    count, portions = tapes_of(net, monkeypatch, tmp_path)
    assert count > 1
    monkeypatch.setattr(many, "Chain", refusing)
    wanted = recorded(net, monkeypatch, tmp_path, VALUES)
    assert [content(runs) for runs in portions] == [content(runs) for runs in wanted]


def refusing(*_):
    raise Unfit


def content(runs):
    return encode(*pack_runs(runs))


def test_runs_are_sent_in_portions(monkeypatch, tmp_path):
    monkeypatch.setattr(many, "PORTION", 0)
    torch.manual_seed(2)
    portions = recorded(converted(Net(), (4,)), monkeypatch, tmp_path, VALUES)
    assert [runs.samples.tolist() for runs in portions] == [[n] for n in range(len(VALUES))]


def test_too_many_values_are_refused_after_the_first_run(monkeypatch, tmp_path):
    monkeypatch.setattr(many, "MOST", 100)
    with pytest.raises(CaptureError, match="all runs together have"):
        recorded(converted(Net(), (4,)), monkeypatch, tmp_path, VALUES)
