"""Whether integers say enough to prove a cause: one number everywhere, only the ends of the range,
or a few steps in a few places are what many mistakes give."""

from __future__ import annotations

from math import comb, lgamma, log

import numpy as np

from qdbg.core.quantity import Array, QParams

ENOUGH = 2
"""So many different numbers inside the range are asked for: one number that a whole column repeats,
or that stands alone among the ends, is given by some change by chance."""
BYTE, FAR = 8, 16
"""How many bits a number says that is so far from the one it should be; a near one says its sign
and its distance."""
MARGIN = 1
"""How many bits more must differ than it takes to name one of the sets that were tried."""


def doubt(numbers: Array, output: QParams | None) -> str:
    """Why these results of a call prove no cause, whatever they are compared with; empty where they
    may.

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


def chance(numbers: Array, others: Array, changes: int, weight: int) -> str:
    """Why what differs between the two proves no set of so many changes out of `changes`; empty
    where it may, and for a single number, of which nothing else can be asked.

    Which places differ, and by how much, is worth some bits; sets that were tried are as many as
    fewer bits can tell apart, and one of them fits by chance then.
    """
    change = np.abs(numbers.astype(np.float64) - others.astype(np.float64))
    held = change[change != 0]
    near = 1 + np.log2(np.maximum(held, 1))
    bits = _places(numbers.size, held.size) + float(np.where(held < FAR, near, BYTE).sum())
    if numbers.size == 1 or bits >= np.log2(max(1, comb(changes, weight))) + MARGIN:
        return ""
    return (
        f"{held.size} of {numbers.size} numbers differ, by {held.max():g} at most: one of so many"
        " sets of changes gives that by chance"
    )


def _places(size: int, chosen: int) -> float:
    """How many bits say which of the places are meant."""
    ways = lgamma(size + 1) - lgamma(chosen + 1) - lgamma(size - chosen + 1)
    return ways / log(2)
