"""Dynamic recurrent layers: recorded, not simulated."""

from __future__ import annotations

from qdbg.core.arithmetic import Arithmetic
from qdbg.core.op import Call, NotSimulated, Op
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values

WHY = (
    "PyTorch computes it in one call, its gates in float32 (a tanh by the matrix library, whose"
    " last bits are not known), and the integers of its linear parts never leave that call"
)


def operands(call: Call) -> dict[str, Array]:
    """Always raises NotSimulated."""
    del call
    raise NotSimulated(WHY)


def stages(arithmetic: Arithmetic, values: Values) -> tuple[Stage, ...]:
    """None."""
    del arithmetic, values
    return ()


def _op(name: str, title: str, *calls: str) -> Op:
    return Op(name, title, operands, stages, (), calls)


OPS = (
    _op("lstm_dynamic", "LSTM (dynamic)", "aten::quantized_lstm"),
    _op("gru_dynamic", "GRU (dynamic)", "aten::quantized_gru"),
    _op("lstm_cell_dynamic", "LSTMCell (dynamic)", "quantized::quantized_lstm_cell_dynamic"),
    _op("gru_cell_dynamic", "GRUCell (dynamic)", "quantized::quantized_gru_cell_dynamic"),
    _op(
        "rnn_cell_dynamic",
        "RNNCell (dynamic)",
        "quantized::quantized_rnn_relu_cell_dynamic",
        "quantized::quantized_rnn_tanh_cell_dynamic",
    ),
)
