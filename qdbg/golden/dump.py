"""A dumped array as a file has it: its name, and the ways in which its bytes are numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from qdbg.core.program import Node
from qdbg.core.quantity import Array
from qdbg.errors import GoldenError


class Numbers(NamedTuple):
    """One way to read a file's bytes."""

    array: Array
    """In the shape that the file states, or flat."""
    words: str | None = None
    """How the bytes were read; None for the usual way."""


@dataclass(frozen=True, slots=True, eq=False)
class Dump:
    """One array of a file."""

    name: str
    where: str
    """`dump.npz: fc1`."""
    size: str
    """What it holds, for errors: `the shape [4, 4]`, `12 words of 1 byte`."""
    numbers: Callable[[Node, int], list[Numbers]]
    """The ways to read it as the result of a call with so many elements, the usual one first;
    empty where it does not hold so many."""
    by_stem: bool = False
    """The name is only that of the file."""


def dump_of(
    name: str, where: str, array: Array, *, binary: bool = False, by_stem: bool = False
) -> Dump:
    """A dump of numbers in some shape; `binary` ones may have their bytes in another order.

    Raises GoldenError for an array of anything but numbers.
    """
    if array.dtype.kind not in "iuf":
        what = "booleans" if array.dtype.kind == "b" else f"{array.dtype} values"
        raise GoldenError(f"{where} holds {what}", expected="numbers")
    if array.dtype == np.uint64 and array.size and array.max() >= np.uint64(2**63):
        raise GoldenError(f"{where} holds {array.max()}", expected="numbers below 2**63")

    def numbers(node: Node, size: int) -> list[Numbers]:
        del node
        if array.size != size:
            return []
        found = [Numbers(array)]
        if binary and array.itemsize > 1:
            found.append(Numbers(array.byteswap(), "with the bytes of each number reversed"))
        return found

    return Dump(name, where, f"the shape {list(array.shape)}", numbers, by_stem)
