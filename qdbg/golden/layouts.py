"""How the numbers of a dump lie: signed or not, shifted, in another order of axes or bytes.

A reading other than the plain one is taken where every number then equals PyTorch's, or where the
plain one is plainly not what was meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from qdbg.core.program import Node
from qdbg.core.quantity import RANGES, Array, QParams
from qdbg.engine.compare import differs
from qdbg.errors import GoldenError
from qdbg.golden.columns import PLAIN, Laid, as_result
from qdbg.golden.dump import Dump, Numbers
from qdbg.golden.orders import Order, orders, under

FEW = 8
"""With fewer numbers another reading must fit all of them: some would fit by chance."""
STEP = 1 / 16
"""How far a real value may lie from its step: text files round it."""
BYTE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A dump's numbers in the shape of the call."""

    values: Array
    laid: Laid
    """Every way in which it is not the plain reading."""
    differences: int


Meaning: TypeAlias = tuple[tuple[str, ...], Array]
"""Numbers in the file's order, and in what words they are not the plain ones."""


def read(dump: Dump, node: Node, captured: Array, letters: str) -> tuple[Array, Laid]:
    """The dump as the call's golden numbers, and how they had to be read. `letters`: what the axes
    of the result mean, `NCHW`; empty where nothing is known.

    Raises GoldenError for another number of elements, or a shape that no order explains.
    """
    ways = dump.numbers(node, captured.size)
    known = orders(ways[0].array.shape, node, letters) if ways else []
    if not known:
        raise GoldenError(
            f"{dump.where} has {dump.size}", expected=f"{list(node.shape)}, as {node.name} has it"
        )
    if captured.size == 0:
        return as_result(ways[0].array.reshape(node.shape), node, dump.where), PLAIN
    first = next(_values(ways[0], node), None)
    plain = None if first is None else _plain(first, known, captured)
    found = plain
    if plain is None or plain.differences:
        found = _chosen(plain, _others(plain, ways, known, node, captured), captured.size)
    if found is None:  # neither integers nor their real values: the error says which is not
        laid = known[0].apply(ways[0].array.reshape(-1), node.shape)
        return as_result(laid, node, dump.where), PLAIN
    return as_result(found.values, node, dump.where), found.laid


def read_result(values: Array, node: Node, captured: Array, letters: str) -> tuple[Array, Laid]:
    """What a function returned in the shape of the call, and whether it put channels last there."""
    plain = Reading(values, PLAIN, _count(values, captured))
    if not plain.differences:
        return values, PLAIN
    meaning = (), values.reshape(-1)
    others = (_reading(meaning, order, captured) for order in under(node.shape, node, letters))
    found = _chosen(plain, others, captured.size) or plain
    return found.values, found.laid


def _plain(first: Meaning, known: list[Order], captured: Array) -> Reading:
    """The plain meaning in the first order. Where that is no layout of memory, the shape says
    little: the flat order, which comes next, has it where it leaves no more differences."""
    reading = _reading(first, known[0], captured)
    if known[0].known:
        return reading
    flat = _reading(first, known[1], captured)
    return flat if flat.differences <= reading.differences else reading


def _chosen(plain: Reading | None, others: Iterator[Reading], size: int) -> Reading | None:
    """The plain reading, unless another one is clearly meant."""
    best = plain
    for reading in others:
        if reading.differences == 0:
            return reading
        if best is not None and reading.differences < best.differences:
            best = reading
    if plain is None or best is None:
        return None
    meant = size >= FEW and size < plain.differences * 2
    return best if meant and best.differences * 2 < plain.differences else plain


def _reading(meaning: Meaning, order: Order, captured: Array) -> Reading:
    words, flat = meaning
    values = order.apply(flat, captured.shape)
    stood = 0 if order.known else _count(flat.reshape(captured.shape), captured)
    laid = Laid(words, order.words, order.known, stood)
    return Reading(values, laid, _count(values, captured))


def _count(values: Array, captured: Array) -> int:
    return int(np.count_nonzero(differs(values, captured)))


def _others(
    plain: Reading | None, ways: list[Numbers], known: list[Order], node: Node, captured: Array
) -> Iterator[Reading]:
    """The other readings that may leave less than half of what the plain one does, those of fewest
    changes first."""
    bound = 1 if plain is None else plain.differences
    meanings = [
        meaning
        for way in ways
        for meaning in _values(way, node)
        if _least(meaning[1], captured) * 2 < bound
    ]
    tried = [(meaning, order) for meaning in meanings for order in known]
    tried.sort(key=lambda pair: len(pair[0][0]) + (pair[1].words is not None))
    for meaning, order in tried:
        yield _reading(meaning, order, captured)


def _least(flat: Array, captured: Array) -> int:
    """No order of these values leaves fewer differences: what the two do not have in common."""
    wanted = captured.reshape(-1)
    if captured.dtype.kind == "f":
        bits = np.dtype(f"i{captured.itemsize}")
        same = np.array_equal(np.sort(flat.view(bits)), np.sort(wanted.view(bits)))
        return 0 if same else flat.size
    low = int(wanted.min())
    if int(wanted.max()) - low > BYTE:
        return 0 if np.array_equal(np.sort(flat), np.sort(wanted)) else flat.size
    inside = flat[(flat >= low) & (flat < low + BYTE)] - low
    mine = np.bincount(inside, minlength=BYTE + 1)
    others = np.bincount(wanted.astype(np.int64) - low, minlength=BYTE + 1)
    return flat.size - int(np.minimum(mine, others).sum())


# ----------------------------------------------------------------------------------- values


def _values(way: Numbers, node: Node) -> Iterator[Meaning]:
    """What the numbers can mean, in the file's order, the plain meaning first."""
    flat = way.array.reshape(-1)
    own = () if way.words is None else (way.words,)
    if node.output is None:
        with np.errstate(over="ignore", invalid="ignore"):
            yield own, np.ascontiguousarray(flat.astype(node.dtype))
        return
    whole = _integers(flat)
    if whole is not None:
        yield own, whole
        for words, values in _shifted(whole, node.output):
            yield (*own, words), values
    real = _from_real(flat, node.output) if flat.dtype.kind == "f" else None
    if real is not None:
        yield (*own, "as real values, scale·(q − zero point)"), real


def _integers(flat: Array) -> Array | None:
    if flat.dtype.kind != "f":
        return flat.astype(np.int64)
    with np.errstate(invalid="ignore"):
        flat = flat.astype(np.float64)
        good = np.isfinite(flat) & (np.abs(flat) < 2.0**63) & (flat == np.rint(flat))
    return flat.astype(np.int64) if good.all() else None


def _shifted(whole: Array, output: QParams) -> Iterator[tuple[str, Array]]:
    """Bytes of the other sign, and numbers that are off by what an export takes off."""
    low, high = RANGES[output.dtype]
    if high - low + 1 == BYTE:
        if whole.min() < low:
            yield "as int8 bytes", np.where(whole < low, whole + BYTE, whole)
        if whole.max() > high:
            yield "as uint8 bytes", np.where(whole > high, whole - BYTE, whole)
        yield "128 lower than PyTorch's", whole + BYTE // 2
        yield "128 higher than PyTorch's", whole - BYTE // 2
        if low == 0 and whole.min() >= low and whole.max() <= high:
            yield "as int8 bytes, 128 lower than PyTorch's", whole ^ BYTE // 2
    zero_point = 0 if output.per_channel else int(output.zero_point)
    if zero_point not in (0, BYTE // 2, -BYTE // 2):
        yield f"less the zero point {zero_point}", whole + zero_point


def _from_real(flat: Array, output: QParams) -> Array | None:
    if output.per_channel:
        return None
    with np.errstate(all="ignore"):
        steps = flat.astype(np.float64) / float(output.scale)
        near = np.rint(steps)
        good = np.isfinite(steps) & (np.abs(steps) < 2.0**31) & (np.abs(steps - near) <= STEP)
    return near.astype(np.int64) + int(output.zero_point) if good.all() else None
