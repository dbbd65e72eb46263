"""Whether integers say enough to prove a cause: one number everywhere, or only the ends of the
range, is what many mistakes give."""

from __future__ import annotations

import numpy as np

from qdbg.core.quantity import Array, QParams

ENOUGH = 2
"""So many different numbers inside the range are asked for; one where there is one number only. A
byte inside the range says 8 bits, and more than a hundred changes are tried: one number that a
whole column repeats, or that stands alone among the ends, one of them gives by chance."""


def doubt(numbers: Array, output: QParams | None) -> str:
    """Why these results of a call prove no cause; empty where they may.

    The ends of the range, and the zero point, where a ReLU ends, say nothing of what was cut off
    there. `output` has the range; a result that is not quantized has none.
    """
    ends: tuple[int, ...] = ()
    if output is not None and not output.per_channel:
        ends = (output.qmin, output.qmax, int(output.zero_point))
    at_end = np.isin(numbers, ends)
    inside = np.unique(numbers[~at_end])
    if inside.size >= min(ENOUGH, numbers.size):
        return ""
    if np.all(numbers == numbers.flat[0]):
        every = "the only number is" if numbers.size == 1 else f"all {numbers.size} numbers are"
        return f"{every} {numbers.flat[0]:g}, which many mistakes give"
    cut = np.unique(numbers[at_end])
    few = ", ".join(f"{n:g}" for n in (*cut, *inside))
    return f"the numbers are {few} only: the ends of the range say nothing of what is cut off there"
