"""The orders in which a file's shape allows the elements of a result to lie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from qdbg.core.program import Node
from qdbg.core.quantity import Array

CHANNELS_LAST = ("NLC", "NHWC", "NDHWC")
"""The orders of axes that memory is laid out in; any other one is no layout."""
AXES = 5
"""Tensors with more axes longer than 1 are not turned round."""
WORDS = (2, 4, 8)
"""Bytes of a word within which bytes may lie in reversed order."""


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
    known: bool = True
    """Memory is laid out so, as the shape says: no element is in another element's place."""

    def apply(self, flat: Array, shape: tuple[int, ...]) -> Array:
        """The numbers in PyTorch's order and shape."""
        if self.reverse:
            flat = flat.reshape(-1, self.reverse)[:, ::-1]
        return flat.reshape(self.shape).transpose(self.axes).reshape(shape)


def orders(shape: tuple[int, ...], node: Node, letters: str) -> list[Order]:
    """Every order of the axes that the file's shape allows, PyTorch's own first; none where the
    shape allows none. `letters`: what the axes of the result mean, `NCHW`; empty: nothing known.

    Where the shape is not PyTorch's own, that may be the flat order all the same, under a shape
    that it was given by mistake.
    """
    kept = [axis for axis, length in enumerate(node.shape) if length != 1]
    lengths = [node.shape[axis] for axis in kept]
    plain = tuple(range(len(kept)))
    found = []
    for order in permutations(plain) if len(kept) <= AXES else (plain,):
        laid = tuple(lengths[place] for place in order)
        if _merges(shape, laid):
            axes = tuple(order.index(place) for place in plain)
            words = _words(tuple(kept[place] for place in order), node, letters)
            found.append(Order(words, laid, axes, known=words in (None, *CHANNELS_LAST)))
    found.sort(key=lambda order: (order.words is not None, not order.known))
    if found and found[0].words is None:
        last = [] if any(o.words in CHANNELS_LAST for o in found) else under(shape, node, letters)
        return found + last + _reversals(tuple(lengths), plain, node)
    if found:
        words = f"the flat order in the shape {list(shape)}"
        found.insert(1, Order(words, tuple(lengths), plain))
    return found


def under(shape: tuple[int, ...], node: Node, letters: str) -> list[Order]:
    """Channels last under a shape that has them first: a reshape in place of a transpose. None
    where the axes have other meanings, or the order is PyTorch's too."""
    if len(letters) != len(node.shape):
        return []
    last = letters[0] + letters[2:] + letters[1]
    kept = [axis for axis, length in enumerate(node.shape) if length != 1]
    order = sorted(kept, key=lambda axis: last.index(letters[axis]))
    if last not in CHANNELS_LAST or order == kept:
        return []
    words = f"{last} under the shape {list(shape)}"
    axes = tuple(order.index(axis) for axis in kept)
    return [Order(words, tuple(node.shape[axis] for axis in order), axes, known=False)]


def _merges(shape: tuple[int, ...], laid: tuple[int, ...]) -> bool:
    """Whether the file's shape is that one, with some neighbouring axes taken together."""
    ends = {int(n) for n in np.cumprod([n for n in shape if n != 1], dtype=np.int64)}
    return ends <= {int(n) for n in np.cumprod(laid, dtype=np.int64)}


def _words(axes: tuple[int, ...], node: Node, letters: str) -> str | None:
    """`NHWC`; the axes are those longer than 1, in the file's order."""
    if list(axes) == sorted(axes):
        return None
    count = len(node.shape)
    if len(axes) == 2 and count == 2:  # noqa: PLR2004 - a table
        return "transposed"
    if not letters:
        every = axes if 0 in axes else (0, *axes)
        return f"with the axes in the order {', '.join(map(str, every))}"
    last = letters[0] + letters[2:] + letters[1]
    if [letters[axis] for axis in axes] == [x for x in last if letters.index(x) in axes]:
        return last
    rest = "".join(letters[axis] for axis in axes)
    rest = rest if 0 in axes else letters[0] + rest
    return rest if len(rest) == count else f"with the axes in the order {rest}"


def _reversals(lengths: tuple[int, ...], axes: tuple[int, ...], node: Node) -> list[Order]:
    size = int(np.prod(lengths, dtype=np.int64))
    whole = Order("in reversed order", lengths, axes, size, known=False)
    found = [whole] if size > 1 else []
    if node.output is None or "int8" not in node.dtype:
        return found
    return found + [
        Order(f"with the bytes reversed in words of {n}", lengths, axes, n)
        for n in WORDS
        if size % n == 0 and n < size
    ]
