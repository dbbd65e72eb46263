"""How the numbers of a dump lie: signed or not, shifted, in another order of axes or bytes.

A reading other than the plain one is taken where every number then equals PyTorch's, or where the
plain one is plainly not what was meant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import TypeAlias

import numpy as np

from qdbg.core.program import Node
from qdbg.core.quantity import RANGES, Array, QParams
from qdbg.engine.compare import differs
from qdbg.errors import GoldenError
from qdbg.golden.columns import as_result
from qdbg.golden.dump import Dump, Numbers

LETTERS = {3: "NCL", 4: "NCHW", 5: "NCDHW"}
CHANNELS_LAST = ("NLC", "NHWC", "NDHWC")
AXES = 5
"""Tensors with more axes longer than 1 are not turned round."""
WORDS = (2, 4, 8)
"""Bytes of a word within which bytes may lie in reversed order."""
FEW = 8
"""With fewer numbers another reading must fit all of them: some would fit by chance."""
STEP = 1 / 16
"""How far a real value may lie from its step: text files round it."""
BYTE = 256


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A dump's numbers in the shape of the call."""

    values: Array
    words: tuple[str, ...]
    """Every way in which it is not the plain reading."""
    differences: int

    @property
    def layout(self) -> str | None:
        """The words as one text; None for the plain reading."""
        return ", ".join(self.words) or None


Meaning: TypeAlias = tuple[tuple[str, ...], Array]
"""Numbers in the file's order, and in what words they are not the plain ones."""


@dataclass(frozen=True, slots=True)
class Order:
    """Where the elements of a result lie in the file."""

    words: str | None
    shape: tuple[int, ...]
    """Of the file's numbers, before the axes are put in PyTorch's order."""
    axes: tuple[int, ...]
    """For each axis of the result without those of length 1, its place in `shape`."""
    reverse: int = 0
    """The length of the groups that are reversed; 0 for none."""

    def apply(self, flat: Array, shape: tuple[int, ...]) -> Array:
        """The numbers in PyTorch's order and shape."""
        if self.reverse:
            flat = flat.reshape(-1, self.reverse)[:, ::-1]
        return flat.reshape(self.shape).transpose(self.axes).reshape(shape)


def read(dump: Dump, node: Node, captured: Array) -> tuple[Array, str | None]:
    """The dump as the call's golden numbers, and how they had to be read.

    Raises GoldenError for another number of elements, or a shape that no order explains.
    """
    ways = dump.numbers(node, captured.size)
    orders = _orders(ways[0].array.shape, node) if ways else []
    if not orders:
        raise GoldenError(
            f"{dump.where} has {dump.size}", expected=f"{list(node.shape)}, as {node.name} has it"
        )
    if captured.size == 0:
        return as_result(ways[0].array.reshape(node.shape), node, dump.where), None
    first = next(_values(ways[0], node), None)
    plain = None if first is None else _reading(first, orders[0], captured)
    found = plain
    if plain is None or plain.differences:
        found = _chosen(plain, _others(plain, ways, orders, node, captured), captured.size)
    if found is None:  # neither integers nor their real values: the error says which is not
        laid = orders[0].apply(ways[0].array.reshape(-1), node.shape)
        return as_result(laid, node, dump.where), None
    return as_result(found.values, node, dump.where), found.layout


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
    laid = order.apply(flat, captured.shape)
    own = words if order.words is None else (*words, order.words)
    return Reading(laid, own, int(np.count_nonzero(differs(laid, captured))))


def _others(
    plain: Reading | None, ways: list[Numbers], orders: list[Order], node: Node, captured: Array
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
    tried = [(meaning, order) for meaning in meanings for order in orders]
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


# ----------------------------------------------------------------------------------- orders


def _orders(shape: tuple[int, ...], node: Node) -> list[Order]:
    """Every order of the axes that the file's shape allows, PyTorch's own first."""
    kept = [axis for axis, length in enumerate(node.shape) if length != 1]
    lengths = [node.shape[axis] for axis in kept]
    plain = tuple(range(len(kept)))
    found = []
    for order in permutations(plain) if len(kept) <= AXES else (plain,):
        laid = tuple(lengths[place] for place in order)
        if _merges(shape, laid):
            axes = tuple(order.index(place) for place in plain)
            names = tuple(kept[place] for place in order)
            found.append(Order(_order_words(names, node), laid, axes))
    found.sort(key=lambda order: (order.words is not None, order.words not in CHANNELS_LAST))
    if found and found[0].words is None:
        found += _reversals(tuple(lengths), plain, node)
    return found


def _merges(shape: tuple[int, ...], laid: tuple[int, ...]) -> bool:
    """Whether the file's shape is that one, with some neighbouring axes taken together."""
    ends = {int(n) for n in np.cumprod([n for n in shape if n != 1], dtype=np.int64)}
    return ends <= {int(n) for n in np.cumprod(laid, dtype=np.int64)}


def _order_words(axes: tuple[int, ...], node: Node) -> str | None:
    """`NHWC`; the axes are those longer than 1, in the file's order."""
    if list(axes) == sorted(axes):
        return None
    count = len(node.shape)
    if len(axes) == 2 and count == 2:  # noqa: PLR2004 - a table
        return "transposed"
    letters = LETTERS.get(count)
    if letters is None:
        return f"with the axes in the order {', '.join(map(str, axes))}"
    last = letters[0] + letters[2:] + letters[1]
    if [letters[axis] for axis in axes] == [x for x in last if letters.index(x) in axes]:
        return last
    rest = "".join(letters[axis] for axis in axes)
    rest = rest if 0 in axes else letters[0] + rest
    return rest if len(rest) == count else f"with the axes in the order {rest}"


def _reversals(lengths: tuple[int, ...], axes: tuple[int, ...], node: Node) -> list[Order]:
    size = int(np.prod(lengths, dtype=np.int64))
    found = [Order("in reversed order", lengths, axes, size)] if size > 1 else []
    if node.output is None or "int8" not in node.dtype:
        return found
    return found + [
        Order(f"with the bytes reversed in words of {n}", lengths, axes, n)
        for n in WORDS
        if size % n == 0 and n < size
    ]
