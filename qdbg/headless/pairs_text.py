"""As text: which pairs leave int16 in a set of samples, and which can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qdbg.core.program import Node
from qdbg.core.words import counted
from qdbg.fleet.bounds import EXACT, FINITE, POSSIBLE, PROVED, REACHED, UNKNOWN, Bound
from qdbg.fleet.pairs import Cut, Key
from qdbg.fleet.predict import Forecast
from qdbg.fleet.tally import Tally
from qdbg.headless.forecast import Report, ranked

SHOWN = 3
"""Pairs of a call: so many are named, the others counted."""


def able(forecast: Forecast) -> str:
    """Whether the model can saturate on this machine, in a few words."""
    found = {bound.status for bound in forecast.bounds.values()}
    if any(forecast.pairs.values()):
        return "saturate with these samples"
    for status, words in (
        (REACHED, "can saturate, not with these samples"),
        (POSSIBLE, "saturation is not excluded"),
        (UNKNOWN, "not known"),
        (FINITE, "cannot saturate on finite operands"),
        (PROVED, "cannot saturate on any input"),
        (EXACT, "sums are exact on any input"),
    ):
        if status in found:
            return words
    return ""


def pair_lines(report: Report, node: Node, tally: Tally, pairs: dict[Key, Cut]) -> list[str]:
    """Which pairs left int16 with the samples, the most frequent ones by name."""
    if not pairs and not tally.elements:
        return []
    if not pairs:
        return ["with these samples no pair leaves int16"]
    channels = len({channel for channel, _ in pairs})
    lines = [leaving(len(pairs), channels)]
    for (channel, number), cut in ranked(pairs)[:SHOWN]:
        often = f"{counted(cut.times, 'time')} in {counted(cut.samples, 'run')}"
        lines.append(
            f"channel {channel}, pair {number} ({_inputs(report, node, cut.k)}): {often}, "
            f"at most {cut.excess} lost"
        )
    hidden = len(pairs) - SHOWN
    return [*lines, f"… and {counted(hidden, 'pair')} more"] if hidden > 0 else lines


def leaving(pairs: int, channels: int) -> str:
    """How many pairs exceed int16."""
    verb = "leaves" if pairs == 1 else "leave"
    return (
        f"{counted(pairs, 'pair')} of {counted(channels, 'channel')} "
        f"{verb} int16 with these samples"
    )


def bound_lines(report: Report, node: Node, bound: Bound) -> list[str]:
    """Whether any input can make a pair leave int16, and by how much."""
    if bound.status == UNKNOWN:
        return [f"on other inputs: not known: {bound.reason}"]
    if bound.status in {PROVED, FINITE}:
        return [unable(bound)]
    pair = bound.worst
    if pair is None:
        return []
    products = " + ".join(f"{x}·{w}" for x, w in zip(pair.inputs, pair.weights, strict=True))
    can = (
        "an input exists that makes"
        if bound.status == REACHED
        else "not excluded: if the layers before gave these bytes, they would make"
    )
    return [
        f"{counted(len(bound.able), 'channel')} of {bound.channels} can saturate; {can} channel "
        f"{pair.channel}, pair {pair.number} ({_inputs(report, node, pair.k)}) = {products} = "
        f"{pair.sum}, {pair.excess} beyond int16"
    ]


def unable(bound: Bound) -> str:
    """What was proved of a layer, and for which operands."""
    finite = bound.status == FINITE
    return (
        f"cannot saturate on any {'finite operand' if finite else 'input'}: with bytes from "
        f"{bound.low} to {bound.high} no pair of the {bound.channels} channels exceeds "
        f"{bound.largest}{'; NaN or an infinity may become any byte' if finite else ''}"
    )


def _inputs(report: Report, node: Node, k: Sequence[int]) -> str:
    """Inputs by their number; of a convolution by the kernel's position and the channel."""
    layer = report.layer(node)
    kernel = () if layer is None or layer.weight is None else layer.weight.q.shape[2:]
    if not kernel or "transpose" in node.op or layer is None or layer.weight is None:
        return f"k {' and '.join(str(n) for n in k)}"
    channels = layer.weight.q.shape[1]
    places = []
    for n in k:
        position = [int(i) for i in np.unravel_index(n // channels, kernel)]
        places.append(f"channel {n % channels} at {position}")
    return f"k {' and '.join(str(n) for n in k)}: {' and '.join(places)}"
