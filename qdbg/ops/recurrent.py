"""Dynamic recurrent layers: their linear parts are calls of their own, their gates are not
simulated; but those of a cell without tanh are."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import f32, f64
from qdbg.core.op import Call, Example, NotSimulated, Op
from qdbg.core.presets import Arithmetic
from qdbg.core.program import Node
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values, stage

LINEAR = "linear_dynamic"
"""The op of a linear part."""
BOTH = ("ih", "hh")
"""The linear parts of a cell, by the names that its call gives them as operands."""
PARTS, OPAQUE = "linear_parts", "opaque"
"""Settings of a recorded call: how many linear parts were written down before it, or why none."""
GATES = "its gates are float32 (their tanh is the matrix library's, whose last bits are not known)"

RESULTS = {
    "lstm_dynamic": ("y", "h", "c"),
    "gru_dynamic": ("y", "h"),
    "lstm_cell_dynamic": ("h", "c"),
}
"""The results of a call that has several, each of which is recorded."""


def result_of(node: Node) -> str:
    """`h of ` for the last hidden state of an LSTM; empty where a call has one result."""
    part, names = node.settings.get("part"), RESULTS.get(node.op, ())
    return f"{names[part]} of " if type(part) is int and part < len(names) else ""


def parts_of(node: Node, call: int) -> range:
    """The calls of the linear parts of a recurrent call, which lie just before its first result;
    none where it is no such call, or they are not known."""
    count, part = node.settings.get(PARTS), node.settings.get("part", 0)
    if node.op not in NAMES or type(count) is not int or type(part) is not int:
        return range(0)
    end = max(call - part, 0)
    return range(max(end - count, 0), end)


@stage("add", output="s float32 [C]", formula="s[c] = f32(ih[c] + hh[c])")
def added(ih: Array, hh: Array) -> Array:
    """Add what comes from the input and what comes from the hidden state."""
    return f32(f64(ih) + f64(hh))


@stage("relu", output="h float32 [C]", formula="h[c] = 0 if s[c] < 0 else s[c]")
def kept_positive(s: Array) -> Array:
    """The cell's function; a negative zero stays one."""
    return np.asarray(np.where(s < 0, f32(0), s))


def operands(call: Call) -> dict[str, Array]:
    """Always raises NotSimulated."""
    raise NotSimulated(_why(call))


def _why(call: Call) -> str:
    opaque = call.setting(OPAQUE)
    if call.setting(PARTS):
        return (
            f"{GATES}; its linear parts are the calls before it, from which PyTorch's own gates"
            " make this result bit for bit"
        )
    reason = "" if opaque is None else f": {opaque}"
    return f"PyTorch computes it in one call, and its linear parts are not known{reason}"


def both_parts(call: Call) -> dict[str, Array]:
    """ih and hh float32 [B, H], the results of the linear parts. Raises NotSimulated."""
    found = {name: call.named(name) for name in BOTH}
    if not all(isinstance(part, np.ndarray) for part in found.values()):
        raise NotSimulated(_why(call))
    return {name: np.asarray(part) for name, part in found.items()}


def no_stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """None."""
    del arithmetic, values
    return ()


def relu_stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """The same for every engine."""
    del arithmetic, values
    return (added, kept_positive)


def _op(name: str, title: str, *calls: str) -> Op:
    return Op(name, title, operands, no_stages, (), calls, image=False)


EXAMPLE = Example(
    "textbook",
    {"ih": np.array([[1.5, -2.0]], np.float32), "hh": np.array([[1.0, 0.5]], np.float32)},
    (2.5, 0.0),
)

OPS = (
    _op("lstm_dynamic", "LSTM (dynamic)", "aten::quantized_lstm"),
    _op("gru_dynamic", "GRU (dynamic)", "aten::quantized_gru"),
    _op("lstm_cell_dynamic", "LSTMCell (dynamic)", "quantized::quantized_lstm_cell_dynamic"),
    _op("gru_cell_dynamic", "GRUCell (dynamic)", "quantized::quantized_gru_cell_dynamic"),
    _op(
        "rnn_tanh_cell_dynamic",
        "RNNCell (dynamic)",
        "quantized::quantized_rnn_tanh_cell_dynamic",
    ),
    Op(
        "rnn_relu_cell_dynamic",
        "RNNCell + ReLU (dynamic)",
        both_parts,
        relu_stages,
        (EXAMPLE,),
        ("quantized::quantized_rnn_relu_cell_dynamic",),
        image=False,
    ),
)
NAMES = frozenset(op.name for op in OPS)
CELLS = frozenset(name for name in NAMES if "_cell" in name)
