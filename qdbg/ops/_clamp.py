"""The last stage of most ops: keep the integer inside the output's range."""

from __future__ import annotations

import numpy as np

from qdbg.core.arithmetic import cut_sides, saturate
from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, stage


def outside(z: Array, qmin: Array, qmax: Array) -> Array:
    """Which side of the range a value lies beyond."""
    return cut_sides(z > qmax, z < qmin)


def _clamp(letter: str) -> Stage:
    @stage(
        "clamp",
        output=f"y_q byte [{letter.upper()}]",
        formula=f"y_q[{letter}] = min(max(z[{letter}], qmin), qmax)",
        saturates=outside,
    )
    def clamp(z: Array, qmin: Array, qmax: Array) -> Array:
        """Keep the integer inside the output's range: what lies outside saturates, ↑ or ↓."""
        return saturate(z, int(qmin), int(qmax))

    return clamp


clamp = _clamp("c")
"""For an output channel c."""
clamp_each = _clamp("i")
"""For any element i of a tensor."""


def _above(z: Array, y_zp: Array, qmax: Array) -> Array:
    del y_zp  # what ReLU removes is meant to go: that is no saturation
    return cut_sides(z > qmax, np.zeros(z.shape, dtype=bool))


def _relu_clamp(letter: str) -> Stage:
    @stage(
        "clamp",
        output=f"y_q byte [{letter.upper()}]",
        formula=f"y_q[{letter}] = min(max(z[{letter}], y_zp), qmax)",
        saturates=_above,
    )
    def clamp(z: Array, y_zp: Array, qmax: Array) -> Array:
        """The fused ReLU is the clamp's floor: y_zp stands for the real value 0, so nothing below
        it remains."""
        return saturate(z, int(y_zp), int(qmax))

    return clamp


relu_clamp = _relu_clamp("c")
"""For an output channel c."""
relu_clamp_each = _relu_clamp("i")
"""For any element i of a tensor."""
