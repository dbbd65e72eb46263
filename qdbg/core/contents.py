"""What a file of qdbg holds, and the header that tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from qdbg.core.checks import describe
from qdbg.core.digests import bytes_of, canonical, hash_of
from qdbg.core.quantity import Array, memory_order, readonly
from qdbg.errors import SessionError

KEY = "qdbg"
FORMAT = "qdbg session"
VERSIONS = WHOLE, SHARING, ORDERED = 1, 2, 3
"""Of files that hold every array row-major; that leave out what they hold already; and in which
some arrays lie as they lay in memory. The lowest one that says all is written."""
REPEATED = 2**12
"""Bytes of an array from which on it is left out where another one has the same numbers: a layer
that passes its operand on gives nothing new."""
HEADER_BYTES = 8
WORD = 8
"""Bytes that are compared at a time."""
DTYPES = {"U8": "u1", "I8": "i1", "I32": "<i4", "F32": "<f4", "F64": "<f8", "I64": "<i8"}
"""In the order in which safetensors sorts the types."""
KINDS = tuple(DTYPES)
TYPES = {np.dtype(spelled): kind for kind, spelled in DTYPES.items()}


@dataclass(frozen=True, slots=True)
class Contents:
    """Arrays as a file holds them."""

    arrays: Mapping[str, Array]
    """Row-major, sorted as safetensors does it: the types with the widest numbers first."""
    orders: Mapping[str, tuple[int, ...]]
    """Of arrays whose axes the file has in the order of their memory: which axis stands where. To
    lay the channels of an image elsewhere takes longer than to write it."""
    same: Mapping[str, str]
    """Of arrays that the file leaves out: the one with the same numbers."""

    @classmethod
    def of(cls, tensors: Mapping[str, Array]) -> Self:
        """Raises SessionError for numbers that a file does not hold."""
        wrong = next((name for name, held in tensors.items() if held.dtype not in TYPES), None)
        if wrong is not None:
            raise SessionError(f"{describe(wrong)}: {tensors[wrong].dtype} numbers cannot be saved")
        names = sorted(tensors, key=lambda name: (-KINDS.index(TYPES[tensors[name].dtype]), name))
        laid = {name: _laid(tensors[name]) for name in names}
        same: dict[str, str] = {}
        alike: dict[object, list[str]] = {}
        for name, (array, order) in laid.items():
            if array.nbytes < REPEATED:
                continue
            start = bytes(bytes_of(array)[:REPEATED])  # most arrays differ there
            others = alike.setdefault((array.dtype.str, array.shape, order, start), [])
            first = next((other for other in others if _equal(laid[other][0], array)), None)
            if first is None:
                others.append(name)
            else:
                same[name] = first
        held = {name: both for name, both in laid.items() if name not in same}
        arrays = {name: array for name, (array, _) in held.items()}
        return cls(arrays, {name: order for name, (_, order) in held.items() if order}, same)

    def head(self, digests: Mapping[str, str], described: str) -> bytes:
        """What stands before the numbers, in as many bytes for any digests; `described` is the
        metadata as `canonical` spells it."""
        rest = canonical({"digests": digests, "format": FORMAT} | self._version())
        text = f'{{"content": {described}, {rest[1:]}'  # as canonical spells the whole
        last = json.dumps({"digest": hash_of(text)})
        note = f"{text[:-1]}, {last[1:]}"  # one more entry of the same object
        entries: dict[str, object] = {"__metadata__": {KEY: note}}
        end = 0
        for name, array in self.arrays.items():
            start, end = end, end + array.nbytes
            shape, kind = list(array.shape), TYPES[array.dtype]
            entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, end]}
        body = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
        body += b" " * (-len(body) % HEADER_BYTES)
        return len(body).to_bytes(HEADER_BYTES, "little") + body

    def _version(self) -> dict[str, object]:
        if self.orders:
            return {"version": ORDERED, "same": self.same, "orders": self.orders}
        return {"version": SHARING, "same": self.same} if self.same else {"version": WHOLE}


def _laid(array: Array) -> tuple[Array, tuple[int, ...]]:
    """The array row-major, and of an image whose memory has another order of axes that order."""
    if not array.flags.c_contiguous and array.nbytes >= REPEATED:
        order = memory_order(array)
        view = array.transpose(order)
        if view.flags.c_contiguous:
            return view, order
    return np.asarray(array, order="C"), ()


def in_memory_order(array: Array, order: object) -> Array:
    """The array whose axes lie in memory in this order, from the one that has them so. Raises
    ValueError where it is no order of its axes."""
    if not isinstance(order, Sequence) or not all(type(axis) is int for axis in order):
        raise ValueError("an order of axes is a list of integers")
    if sorted(order) != list(range(array.ndim)):
        raise ValueError("an order of axes has each axis once")
    return readonly(array.transpose(np.argsort(order)))


def _equal(one: Array, other: Array) -> bool:
    """Bit for bit, of arrays of the same type and shape."""
    ours, theirs = (np.asarray(bytes_of(array)) for array in (one, other))
    whole = len(ours) // WORD * WORD
    first, second = (each[:whole].view(np.uint64) for each in (ours, theirs))
    return np.array_equal(first, second) and np.array_equal(ours[whole:], theirs[whole:])
