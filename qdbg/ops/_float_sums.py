"""The order in which ATen adds float32 numbers up over some axes of a tensor.

Source: ATen's TensorIterator (which axes it walks first, which ones it joins) and its cascade sum
(`native/cpu/SumKernel.cpp`). An addition rounds to float32, so the order decides about the last
bits of a sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np

from qdbg.core.quantity import Array
from qdbg.ops._lanes import row_major

LANES = 8
"""Floats in a vector of 32 bytes, which is what ATen's AVX2 kernels use."""
ROWS = 4
"""Partial sums that the kernel keeps side by side."""
LEVELS = 4
"""Levels of a cascade: full groups of one level are added to the next one."""
SMALLEST_GROUP = 4
"""Binary logarithm of the fewest numbers that are added before the next level takes them."""
ACROSS, DOWN, ALONE = range(3)
"""How one run of numbers is added up: vectors along the run; one cascade; four cascades in turn."""


class Axis(NamedTuple):
    """Axes that are one loop to the kernel."""

    size: int
    out: int
    """The stride of the result, 0 where the axis is summed over."""
    step: int
    """The stride of the operand."""
    places: tuple[int, ...]
    """Which axes of the tensor, the fastest first."""


NOTHING = Axis(1, 0, 0, ())
"""A loop that runs once."""


def loops(shape: Sequence[int], strides: Sequence[int], dims: Sequence[int]) -> list[Axis]:
    """The kernel's loops, the innermost first: axes that are summed over lie inside the others, by
    their strides, and neighbours in memory are joined."""
    kept = [1 if axis in dims else size for axis, size in enumerate(shape)]
    out = [0 if axis in dims else step for axis, step in enumerate(row_major(kept))]
    found: list[Axis] = []
    for place in _sorted(shape, strides, out):
        axis = Axis(shape[place], out[place], strides[place], (place,))
        if found and _joined(found[-1], axis):
            inner = found.pop()
            steps = axis[1:3] if inner.size == 1 else inner[1:3]
            axis = Axis(inner.size * axis.size, *steps, inner.places + axis.places)
        found.append(axis)
    return found


def _sorted(shape: Sequence[int], strides: Sequence[int], out: Sequence[int]) -> list[int]:
    """The axes by stride, as an insertion sort that leaves what it cannot compare."""
    order = list(reversed(range(len(shape))))
    for start in range(1, len(order)):
        place = start
        for before in reversed(range(start)):
            sign = _compared(order[before], order[place], shape, strides, out)
            if sign < 0:
                break
            if sign > 0:
                order[before], order[place] = order[place], order[before]
                place = before
    return order


def _compared(
    one: int, other: int, shape: Sequence[int], strides: Sequence[int], out: Sequence[int]
) -> int:
    """Negative where axis `one` stays inside, positive where `other` belongs there."""
    if (out[one] == 0) != (out[other] == 0):
        return 1 if out[other] == 0 else -1
    for steps in (out, strides):
        if steps[one] == 0 or steps[other] == 0:
            continue
        if steps[one] != steps[other]:
            return 1 if steps[one] > steps[other] else -1
        if shape[one] > shape[other]:
            return 1
    return 0


def _joined(inner: Axis, outer: Axis) -> bool:
    one = inner.size == 1 or outer.size == 1
    follows = all(inner.size * a == b for a, b in zip(inner[1:3], outer[1:3], strict=True))
    return one or follows


def summing(
    shape: Sequence[int], strides: Sequence[int], dims: Sequence[int], lanes: int = LANES
) -> tuple[Array, Array]:
    """order [R, K]: the places of the summed numbers, row-major over `dims`, as R runs of K one
    after the other; path [kept axes …, R]: how each run is added up.

    `strides` are the float32 operand's, in elements; `dims` are in ascending order.
    """
    axes = [*loops(shape, strides, dims), NOTHING, NOTHING]
    inner, second = axes[:2] if axes[0].out == 0 else (NOTHING, axes[0])
    box = np.arange(prod(shape[d] for d in dims)).reshape([shape[d] for d in dims])
    summed = [dims.index(place) for axis in axes for place in axis.places if place in dims]
    order = box.transpose(summed[::-1]).reshape(-1, inner.size)
    columns = _paths(inner, second, lanes)
    kept = [axis for axis in range(len(shape)) if axis not in dims]
    path = np.zeros((*(shape[axis] for axis in kept), len(order)), np.int64)
    if second.out == 0:
        return order, path + np.tile(columns, len(order) // second.size)
    column, step = path[..., 0].copy(), 1
    for axis in (place for place in second.places if place in kept):
        column += (np.arange(shape[axis]) * step).reshape([-1 if a == axis else 1 for a in kept])
        step *= shape[axis]
    return order, path + columns[column][..., None]


def _paths(inner: Axis, second: Axis, lanes: int) -> Array:
    """How the run at each place of the second loop is added up: int64 [its size]."""
    along = np.arange(second.size)
    if inner.step == 1 and inner.size >= lanes:
        return np.full(second.size, ACROSS)
    if second.step == 1 and second.size >= lanes:
        side_by_side = ROWS * lanes
    elif inner.step < second.step:
        side_by_side = 0
    else:
        side_by_side = ROWS
    if not side_by_side:
        return np.full(second.size, ALONE)
    whole = second.size // side_by_side * side_by_side
    return np.where(along < whole, DOWN, ALONE)


def total(d: Array, order: Array, path: Array, lanes: int = LANES) -> Array:
    """Add up d float32 [I …, n] as `summing` says: float32 [I …]."""
    runs = d[..., order]
    parts = np.zeros(runs.shape[:-1], np.float32)
    for way, added in ((ACROSS, partial(_across, lanes=lanes)), (DOWN, _cascade), (ALONE, _alone)):
        chosen = path == way
        if chosen.any():
            parts[chosen] = added(runs[chosen].T)
    return _in_turn(np.moveaxis(parts, -1, 0))


def _in_turn(numbers: Array) -> Array:
    """numbers [k, …], the next always added to the sum so far."""
    found: Array = np.zeros(numbers.shape[1:], np.float32)
    for number in numbers:
        found = found + number
    return found


def _cascade(numbers: Array) -> Array:
    """numbers [k, …]: a group at a time, and sums of groups by groups of their own."""
    power = max(SMALLEST_GROUP, (len(numbers) - 1).bit_length() // LEVELS)
    group, mask = 1 << power, (1 << power) - 1
    sums: list[Array] = [np.zeros(numbers.shape[1:], np.float32)] * LEVELS
    whole = len(numbers) // group * group
    for end in range(group, whole + 1, group):
        carried = _in_turn(numbers[end - group : end])
        sums[0] = sums[0] + carried
        for level in range(1, LEVELS):
            sums[level] = sums[level] + sums[level - 1]
            sums[level - 1] = np.zeros_like(carried)
            if end & (mask << (level * power)):
                break
    for number in numbers[whole:]:
        sums[0] = sums[0] + number
    return _in_turn(np.stack(sums))


def _alone(numbers: Array) -> Array:
    """numbers [k, …]: every fourth number in one cascade, the rest to the first of them."""
    whole = len(numbers) // ROWS * ROWS
    parts = _cascade(numbers[:whole].reshape(-1, ROWS, *numbers.shape[1:]))
    first = _in_turn(np.concatenate([parts[:1], numbers[whole:]]))
    return _in_turn(np.concatenate([first[None], parts[1:]]))


def _across(numbers: Array, lanes: int) -> Array:
    """numbers [k, …]: a sum in each lane of a vector, then the rest, then the lanes in turn."""
    whole = len(numbers) // lanes * lanes
    in_lanes = _alone(numbers[:whole].reshape(-1, lanes, *numbers.shape[1:]))
    return _in_turn(np.concatenate([numbers[whole:], in_lanes]))
