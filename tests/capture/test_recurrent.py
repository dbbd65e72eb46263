"""Dynamic recurrent layers: their linear parts are calls of their own, each one simulated."""

import numpy as np
import pytest
import torch
import torch.ao.quantization as tq
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from qdbg.capture import machine_level, recurrent
from qdbg.capture.following import FollowingTape
from qdbg.core.program import FIRST_CONSTANT, INPUT, Environment
from qdbg.ops.recurrent import NAMES
from qdbg.selftest.check import compared, record
from qdbg.selftest.draw import Case
from tests.capture.whole import converted

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # torch announces the end of its dtypes
    pytest.mark.usefixtures("quick_conversions"),
]
LAYERS = {
    "lstm": lambda: nn.LSTM(9, 7),
    "lstm, two layers, both ways, batch first": lambda: nn.LSTM(
        9, 7, 2, batch_first=True, bidirectional=True
    ),
    "gru, two layers, both ways": lambda: nn.GRU(9, 7, 2, bidirectional=True),
    "lstm cell": lambda: nn.LSTMCell(9, 7),
    "gru cell": lambda: nn.GRUCell(9, 7),
    "rnn cell": lambda: nn.RNNCell(9, 7),
    "rnn cell with relu": lambda: nn.RNNCell(9, 7, nonlinearity="relu"),
}
PARTS = {"lstm": 1 + 5, "lstm, two layers, both ways, batch first": 4 * (1 + 3)}
"""How many linear parts there are."""


def dynamic(layer, dtype=torch.qint8):
    return tq.quantize_dynamic(nn.Sequential(layer).eval(), {type(layer)}, dtype=dtype)[0]


def recorded(engine, run):
    level = machine_level()
    where = Environment(engine, level, str(torch.__version__), "", "exact sums", unperturbed=True)
    return record(Case(run), where)


def outcomes(recording):
    return [
        (node.name, *found)
        for node, found in zip(nodes(recording), compared(recording), strict=True)
    ]


def nodes(recording):
    return recording.program.nodes


@pytest.mark.parametrize("name", LAYERS)
def test_each_linear_part_has_the_integers_of_pytorch(engine, name):
    torch.manual_seed(6)
    layer, x = dynamic(LAYERS[name]()), torch.randn(5, 3, 9) * 3
    steps = list(x) if "cell" in name else [x]

    def run():
        state = None
        for each in steps:
            state = layer(each, state)

    found = outcomes(recorded(engine, run))
    parts = [comparison for _, op, comparison in found if op == "linear_dynamic"]
    assert len(parts) == PARTS.get(name, len(parts)) >= 6
    assert {part.status for part in parts} == {"equal"}
    whole = [(op, comparison) for _, op, comparison in found if op in NAMES]
    assert len(whole) + len(parts) == len(found)
    for op, comparison in whole:
        if op == "rnn_relu_cell_dynamic":
            assert comparison.status == "equal"
        else:
            assert comparison.status == "not simulated"
            assert "make this result bit for bit" in comparison.reason


def test_the_parts_are_named_as_torch_names_the_weights(engine):
    layer = dynamic(nn.GRU(4, 3, 2, bidirectional=True))
    names = [node.name for node in nodes(recorded(engine, lambda: layer(torch.randn(2, 1, 4))))]
    assert names == [
        *("forward:ih_l0", "forward:hh_l0", "forward:hh_l0#2"),
        *("forward:ih_l0_reverse", "forward:hh_l0_reverse", "forward:hh_l0_reverse#2"),
        *("forward:ih_l1", "forward:hh_l1", "forward:hh_l1#2"),
        *("forward:ih_l1_reverse", "forward:hh_l1_reverse", "forward:hh_l1_reverse#2"),
        *("forward:gru_dynamic", "forward:gru_dynamic#2"),
    ]


def test_the_whole_sequence_is_quantized_with_one_scale(engine):
    layer, x = dynamic(nn.LSTM(4, 3)), torch.randn(6, 2, 4)
    first, *rest = nodes(recorded(engine, lambda: layer(x)))
    assert first.shape == (6, 2, 12)
    assert [node.shape for node in rest[:6]] == [(2, 12)] * 6


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_parts_that_do_not_make_the_result_are_refused(monkeypatch, kind):
    right = dict(recurrent.STEPS)

    def wrong(own, gates, state):
        step = right[{3: "gru", 4: "lstm"}.get(gates.shape[1] // state[0].shape[1], "rnn_tanh")]
        return step(own + torch.tensor(1e-6), gates, state)

    monkeypatch.setattr(recurrent, "STEPS", dict.fromkeys(right, wrong))
    layer = dynamic(kind(4, 6))
    x = torch.randn(3, 2, 4) if kind in {nn.LSTM, nn.GRU} else torch.randn(2, 4)
    found = outcomes(recorded("x86", lambda: layer(x)))
    assert {op for _, op, _ in found} <= NAMES
    assert all("do not give this result bit for bit" in made.reason for _, _, made in found)


def test_other_forms_are_refused_by_name():
    layer = dynamic(nn.LSTM(4, 3))
    packed = pack_sequence([torch.randn(3, 4), torch.randn(2, 4)])
    found = outcomes(recorded("x86", lambda: layer(packed)))
    assert "its input is a packed sequence" in found[-1][2].reason
    layer = dynamic(nn.LSTM(4, 3), torch.float16)
    found = outcomes(recorded("x86", lambda: layer(torch.randn(2, 1, 4))))
    assert "its weights are quantized_fp16, not int8" in found[-1][2].reason


class Static(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = tq.QuantStub(), tq.DeQuantStub()
        self.lstm = nn.LSTM(9, 7, 2, bidirectional=True)

    def forward(self, x):
        return self.dequant(self.lstm(self.quant(x))[0])


def test_every_call_of_a_static_lstm_is_simulated(engine):
    x = torch.randn(3, 3, 9)
    live = converted(Static(), engine, x)
    found = outcomes(recorded(engine, lambda: live(x)))
    ops = {op for _, op, _ in found}
    assert {"linear", "add", "mul", "sigmoid", "tanh"} <= ops
    assert [name for name, _, comparison in found if comparison.status != "equal"] == []
    assert np.sum([op == "linear" for _, op, _ in found]) == 3 * 2 * 4


def test_what_stands_behind_a_hidden_state_is_known():
    layer, x = dynamic(nn.LSTM(4, 3)), torch.randn(3, 2, 4)
    with torch.no_grad():
        tape = FollowingTape({}, x, lambda text: None)
        with tape:
            layer(x)
    first, *later = (tape.nodes[call].inputs[0] for call in (1, 2, 3))
    assert first not in {FIRST_CONSTANT - number for number in tape.unseen.derived}
    behind = [tape.unseen.derived[FIRST_CONSTANT - source] for source in later]
    assert behind == [(INPUT, 0, 1), (INPUT, 0, 1, 2)]


def test_nothing_hangs_on_a_call_after_it():
    """Both ways of a second layer take one tensor, which was there before either."""
    layer, x = dynamic(nn.LSTM(4, 3, 2, bidirectional=True)), torch.randn(3, 1, 4)
    with torch.no_grad():
        tape = FollowingTape({}, x, lambda text: None)
        with tape:
            layer(x)
    for call, node in enumerate(tape.nodes):
        for source in node.inputs:
            assert all(each < call for each in tape.unseen.derived.get(FIRST_CONSTANT - source, ()))
