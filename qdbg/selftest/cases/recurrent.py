"""Dynamic LSTM, GRU and cells: their linear parts on sequences and on the states between."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from qdbg.selftest.cases._weighted import weights
from qdbg.selftest.cases.linear_dynamic import inputs
from qdbg.selftest.draw import Case, Draw

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
"""By the dispatcher's names: how many gates lie side by side in the weights."""
STATES = {"lstm": 2}
"""How many tensors a state has, where it has more than h."""


def _packed(draw: Draw, outputs: int, width: int) -> Any:
    bias = draw.random.normal(0, 1, outputs).astype(np.float32)
    made = weights(draw, (outputs, width))
    return torch.ops.quantized.linear_prepack(made.tensor, made.bias(bias)), made.bias(bias)


def _state(draw: Draw, *shape: int) -> torch.Tensor:
    if draw.chance(0.4):
        return torch.zeros(shape)
    return torch.from_numpy(draw.random.uniform(-1, 1, shape).astype(np.float32))


def recurrent_cell(draw: Draw) -> Case | None:
    """One step, and a second one from the state that it leaves."""
    kind = str(draw.choice(list(GATES)))
    width, hidden = draw.integer(1, 70), draw.integer(1, 40)
    batch, _ = draw.lengthened((draw.integer(1, 5), hidden), axes=(0,))
    first, first_bias = _packed(draw, GATES[kind] * hidden, width)
    second, second_bias = _packed(draw, GATES[kind] * hidden, hidden)
    x = torch.from_numpy(inputs(draw, batch, width))
    state = [_state(draw, batch, hidden) for _ in range(STATES.get(kind, 1))]
    name = f"quantized_{kind}_cell_dynamic"
    call = getattr(torch.ops.quantized, name)

    def run() -> None:
        now = state
        for _ in range(2):
            given = now if len(now) > 1 else now[0]
            made = call(x, given, first, second, first_bias, second_bias)
            now = list(made) if len(now) > 1 else [made]

    return Case(run)


def recurrent(draw: Draw) -> Case | None:
    """A whole sequence through some layers, in one direction or both."""
    kind = str(draw.choice(["lstm", "gru"]))
    width, hidden = draw.integer(1, 70), draw.integer(1, 40)
    steps, batch, layers = draw.integer(1, 6), draw.integer(1, 4), draw.integer(1, 2)
    both, first = draw.chance(0.3), draw.chance(0.4)
    reduced = draw.chance(0.8)
    cells = []
    for place in range(layers * (1 + both)):
        below = width if place < 1 + both else hidden * (1 + both)
        ih, hh = (_packed(draw, GATES[kind] * hidden, size) for size in (below, hidden))
        make = torch.ops.quantized.make_quantized_cell_params_dynamic
        cells.append(make(ih[0], hh[0], ih[1], hh[1], reduced))
    x = torch.from_numpy(inputs(draw, steps * batch, width))
    x = x.reshape(batch, steps, width) if first else x.reshape(steps, batch, width)
    state = [_state(draw, len(cells), batch, hidden) for _ in range(STATES.get(kind, 1))]
    settings = (True, layers, 0.0, False, both, first)
    if kind == "lstm":
        more = {"dtype": torch.qint8, "use_dynamic": True}
        return Case(lambda: torch.quantized_lstm(x, state, cells, *settings, **more))
    return Case(lambda: torch.quantized_gru(x, state[0], cells, *settings))


CASES = {"recurrent": recurrent, "recurrent_cell": recurrent_cell}
