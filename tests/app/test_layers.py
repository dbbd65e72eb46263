"""The list of layers has every layer's weights at every width, and those of an LSTM's parts."""

from dataclasses import replace

import numpy as np
import pytest

from qdbg.app.sources import LayerTable, Rail
from qdbg.core.program import Layer, Model, Program
from qdbg.core.quantity import QParams, QTensor
from qdbg.core.weights import with_parts
from qdbg.debugger import Debugger
from qdbg.headless.layers import layers_text
from qdbg.headless.show import show_text
from tests.app.conftest import ready, screen_text
from tests.synthetic import recording


def weight(outputs, inputs, scale):
    return QTensor(np.zeros((outputs, inputs), np.int8), QParams.per_tensor(scale, 0, "qint8"))


@pytest.fixture(scope="module")
def lstm():
    """Of one layer in two directions, as a session orders its tensors."""
    parts = {
        f"weight_{part}_l0{way}": weight(28, inputs, 0.001953125)
        for way in ("", "_reverse")
        for part, inputs in (("hh", 7), ("ih", 5))
    }
    bias = {"bias_ih_l0": np.zeros(28, np.float32)}
    return Layer("lstm", "torch.ao.nn.quantized.dynamic.modules.rnn.LSTM", parameters=parts | bias)


def test_the_parts_of_a_recurrent_layer_are_listed_behind_it_with_their_weights(lstm):
    table = LayerTable(with_parts([lstm]))
    rows = [table.row(n).cells[:3] for n in range(len(table))]
    assert rows == [
        ("lstm", "·", "·"),
        ("lstm:ih_l0", "int8 28×5", "0.001953"),
        ("lstm:hh_l0", "int8 28×7", "0.001953"),
        ("lstm:ih_l0_reverse", "int8 28×5", "0.001953"),
        ("lstm:hh_l0_reverse", "int8 28×7", "0.001953"),
    ]
    assert "lstm:hh_l0  " in layers_text(Model("lstm.pth", "0" * 64, {"lstm": lstm}), "forward")


@pytest.mark.parametrize(("width", "kind"), [(16, "uint8"), (8, "uint4")])
def test_an_embedding_is_listed_with_its_table_and_the_scales_of_its_rows(width, kind):
    tensors = {
        "weight_q": np.zeros((20, width), np.uint8),
        "weight_scale": np.linspace(0.25, 0.5, 20).astype(np.float32),
    }
    layer = Layer("emb", "Embedding", parameters=tensors, settings={"embedding_dim": 16})
    cells = LayerTable([layer]).row(0).cells
    assert cells[1:3] == (f"{kind} 20×16", "20 rows: 0.25 … 0.5")
    said = layers_text(Model("emb.pth", "0" * 64, {"emb": layer}), "forward")
    assert f"{kind} 20×16  0.25 … 0.5 per row" in said


@pytest.mark.parametrize("width", [60, 80, 97, 120])
async def test_the_weights_are_seen_at_every_width(stage, width):
    async with stage(size=(width, 24)) as pilot:
        await ready(pilot)
        await pilot.press("L")
        text = screen_text(pilot.app)
        assert "int8 16×4" in text
        assert "zero point" in text


async def test_where_no_result_has_a_scale_the_weights_scales_are_seen_at_any_width(stage, lstm):
    made = recording()
    layers = {path: replace(layer, output=None) for path, layer in made.program.layers.items()}
    long = {"a.long.name.of.a.layer": replace(lstm, path="a.long.name.of.a.layer")}
    changed = replace(made, program=Program(made.program.nodes, layers | long))
    async with stage(changed, size=(60, 16)) as pilot:
        await ready(pilot)
        await pilot.press("L")
        text = screen_text(pilot.app)
        assert "weight scales" in text
        assert "0.001953" in text
        assert "zero point" not in text


def test_the_results_of_a_recurrent_layer_are_told_apart():
    made = recording()
    nodes = list(made.program.nodes)
    for part in range(3):
        nodes[part] = replace(nodes[part], op="lstm_dynamic", settings={"part": part})
    trace = Debugger(replace(made, program=Program(tuple(nodes), made.program.layers))).trace
    rail = Rail(trace)
    texts = [rail.row(index).cells[0] for index in range(len(rail))]
    for name in "yhc":
        assert sum(f"{name} of LSTM (dynamic)" in text for text in texts) == 1
        assert f"{name} of LSTM (dynamic)" in show_text(trace)
