"""The pairs that leave int16 in recorded or simulated runs: which, how often, how far."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np

from qdbg.core.arithmetic import INT16, i32
from qdbg.core.op import Kernel, NotSimulated, laid_out
from qdbg.core.pairs import PORTION, pair_members
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Values
from qdbg.core.sums import in_groups
from qdbg.fleet.stack import Job

Key = tuple[int, int]
"""Channel, and number of the pair in the kernel's order."""
Pairs = tuple[Array, Array, Array]
"""As `pair_members` gives them."""


@dataclass(slots=True)
class Cut:
    """One pair of one channel over many runs."""

    k: tuple[int, ...]
    """The inputs that it sums."""
    times: int = 0
    """How often it left int16; at several positions of an image it counts several times."""
    samples: int = 0
    """In how many runs."""
    excess: int = 0
    """The most that was lost."""

    def add(self, other: Cut) -> None:
        """Add the counts of other runs."""
        self.times += other.times
        self.samples += other.samples
        self.excess = max(self.excess, other.excess)


def cuts(job: Job, arithmetic: Arithmetic) -> dict[Key, Cut]:
    """The pairs of a call that leave int16 in some run; none where the kernel adds exactly.

    Runs whose kernel is not known are left out: they are not simulated either.
    """
    found: dict[Key, Cut] = {}
    with contextlib.suppress(NotSimulated):  # perhaps only some of the runs are not
        if job.op.kernel is None:
            return found
        if job.symbols:
            kernel = job.op.kernel(arithmetic, job.single)
            if kernel.accumulator == "exact" and not kernel.doubt:
                return found
            if not kernel.doubt:
                for values, count in job.portions():
                    _look(values, kernel, count, found)
                return found
    for run in range(job.runs):
        with contextlib.suppress(NotSimulated):
            _look_alone(job, arithmetic, run, found)
    return found


def may_saturate(w: Array, block: int) -> Array:
    """bool [C]: whether some input bytes make a pair of this channel leave int16."""
    first, second, has_second = pair_members(w.shape[-1], block)
    w32 = i32(w)
    head, tail = w32[:, first], np.where(has_second, w32[:, second], 0)
    up = np.maximum(head, 0) + np.maximum(tail, 0)
    down = np.minimum(head, 0) + np.minimum(tail, 0)
    outside = (up * 255 > INT16[1]) | (down * 255 < INT16[0])
    reaches: Array = np.asarray(outside.any(axis=-1))
    return reaches


def _look_alone(job: Job, arithmetic: Arithmetic, run: int, found: dict[Key, Cut]) -> None:
    op = job.op
    values = laid_out(op, job.call(run))
    for stage in op.stages(arithmetic, values):
        if "x_q" in values:
            break
        values[stage.output] = stage.run(values)
    if op.kernel is not None:
        _look(values, op.kernel(arithmetic, values), 1, found)


def _look(values: Values, kernel: Kernel, count: int, found: dict[Key, Cut]) -> None:
    """Add what `count` runs show."""
    if kernel.accumulator == "exact":
        return
    x = i32(values["x_q"])
    groups, weights = in_groups(x * values["inside"] if kernel.skips_padding else x, values["w_q"])
    pairs = pair_members(weights.shape[-1], kernel.block)
    for group, (rows, own) in enumerate(zip(groups, i32(weights), strict=True)):
        limits = rows.min(axis=0, initial=0), rows.max(axis=0, initial=0)
        for channel in np.flatnonzero(may_saturate(own, kernel.block)):
            live = _able(own[channel], pairs, *limits)
            step = max(1, PORTION // max(1, len(rows)))
            for start in range(0, len(live), step):
                chosen = live[start : start + step]
                excess = _excess(rows, own[channel], pairs, chosen).reshape(count, -1, len(chosen))
                _count(excess, (int(channel) + group * len(own), chosen), pairs, found)


def _able(w: Array, pairs: Pairs, low: Array, high: Array) -> Array:
    """The pairs of a channel that could leave int16 with inputs between these."""
    first, second, has_second = pairs
    most, least = np.maximum(w * low, w * high), np.minimum(w * low, w * high)
    up = most[first] + np.where(has_second, most[second], 0)
    down = least[first] + np.where(has_second, least[second], 0)
    return np.flatnonzero((up > INT16[1]) | (down < INT16[0]))


def _excess(rows: Array, w: Array, pairs: Pairs, chosen: Array) -> Array:
    """[rows, pairs]: how far each pair lies outside int16; not above 0 where it does not."""
    first, second, has_second = (each[chosen] for each in pairs)
    sums = rows[:, first] * w[first] + rows[:, second] * np.where(has_second, w[second], 0)
    return np.asarray(np.maximum(sums - INT16[1], INT16[0] - sums))


def _count(excess: Array, place: tuple[int, Array], pairs: Pairs, found: dict[Key, Cut]) -> None:
    channel, chosen = place
    outside = excess > 0
    times, samples = outside.sum(axis=(0, 1)), outside.any(axis=1).sum(axis=0)
    largest = excess.max(axis=(0, 1), initial=0)
    first, second, has_second = pairs
    for n in np.flatnonzero(times):
        pair = int(chosen[n])
        k = (int(first[pair]), *([int(second[pair])] if has_second[pair] else []))
        cut = found.setdefault((channel, pair), Cut(k))
        cut.add(Cut(k, int(times[n]), int(samples[n]), int(largest[n])))
