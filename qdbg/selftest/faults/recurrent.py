"""Wrong rules of the linear parts of recurrent layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdbg.core.arithmetic import f32, f64
from qdbg.ops import linear_dynamic, recurrent
from qdbg.selftest.faults import Fault, computing


def _linear(name: str, attribute: str, function: Any, **where: Any) -> Fault:
    wrong = computing(getattr(linear_dynamic, attribute), function)
    changes = ((linear_dynamic, attribute, wrong),)
    return Fault(f"recurrent: {name}", "recurrent", changes, **where)


def _cell(name: str, attribute: str, function: Any) -> Fault:
    wrong = computing(getattr(recurrent, attribute), function)
    return Fault(f"recurrent: {name}", "recurrent_cell", ((recurrent, attribute, wrong),))


def _whole(x_max: Any, x_min: Any, top: Any) -> Any:
    return (f64(x_max) - f64(x_min)) / 255


FAULTS = (
    _linear("the range is that of the first row", "largest", lambda x: f32(np.max(x[:1]))),
    _linear(
        "ignores the reduced range",
        "input_scale",
        _whole,
        engines=("fbgemm", "x86", "onednn"),
    ),
    _linear(
        "honours the reduced range",
        "whole_range",
        lambda: np.array(127),
        engines=("qnnpack",),
    ),
    _cell("the cell forgets relu", "kept_positive", lambda s: s),
    _cell("the cell leaves out the hidden state", "added", lambda ih, hh: f32(ih)),
)
