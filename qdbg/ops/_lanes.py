"""Which elements a kernel computes in whole blocks of vectors, and which one by one.

PyTorch's element-wise kernels walk through memory: whole blocks of two vectors (64 bytes) take
the vector formula, the rest of a row the scalar one, and the two round differently.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qdbg.core.op import NotSimulated
from qdbg.core.quantity import Array, QTensor

BLOCK = 64
"""Elements in two vectors of 32 bytes."""
GRAIN = 32768
"""From this many elements on, the work is split among threads."""


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a tensor whose last axis is the fastest."""
    sizes = [max(1, n) for n in shape]
    return tuple(int(np.prod(sizes[i + 1 :], dtype=np.int64)) for i in range(len(sizes)))


def strides_of(tensor: QTensor) -> tuple[int, ...]:
    """In elements, row-major where nothing else is said."""
    return row_major(tensor.q.shape) if tensor.strides is None else tensor.strides


def is_row_major(tensor: QTensor) -> bool:
    """Whether the elements follow each other in memory as they do in a new tensor."""
    if tensor.strides is None:
        return True
    numbers = zip(tensor.q.shape, tensor.strides, row_major(tensor.q.shape), strict=True)
    return all(own == plain for size, own, plain in numbers if size > 1)


def block_lanes(
    shape: tuple[int, ...], strides: Sequence[tuple[int, ...]], threads: int = 1
) -> Array:
    """bool in `shape`: true where an element is computed in a whole block.

    `strides` are those of the result and then of each operand. As ATen's TensorIterator does it,
    axes that follow each other in the memory of all of them make one long row; a row that is not
    dense everywhere has no blocks, but one operand may repeat one element all along it (stride 0).
    Raises NotSimulated for rows that threads share.
    """
    size = int(np.prod(shape, dtype=np.int64))
    axes = sorted((i for i, n in enumerate(shape) if n > 1), key=lambda i: strides[0][i])
    if not axes:
        return np.zeros(shape, dtype=bool)
    steps_of = [s[axes[0]] for s in strides]
    if steps_of[0] != 1 or any(s not in (0, 1) for s in steps_of) or steps_of.count(0) > 1:
        return np.zeros(shape, dtype=bool)
    row, length = [axes[0]], shape[axes[0]]
    for axis in axes[1:]:
        if any(s[axis] != step * length for s, step in zip(strides, steps_of, strict=True)):
            break
        row.append(axis)
        length *= shape[axis]
    alone = threads == 1 or size < GRAIN
    if alone and length == size:
        return _in_order(np.arange(size) < length // BLOCK * BLOCK, shape, strides[0])
    place = np.zeros(shape, dtype=np.int64)
    for axis in row:
        steps = np.arange(shape[axis]) * strides[0][axis]
        place += steps.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    if alone:
        return place < length // BLOCK * BLOCK
    if length < size:
        raise NotSimulated(f"{threads} threads share its {size} elements, which are not in one row")
    chunk = -(-size // min(threads, -(-size // GRAIN)))
    left = size - place // chunk * chunk
    within = np.where(left < chunk, left, chunk)
    return place % chunk < within // BLOCK * BLOCK


def _in_order(flat: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """What belongs to the elements one after the other in memory, in their shape."""
    order = sorted(range(len(shape)), key=lambda axis: (-strides[axis], axis))
    back = sorted(range(len(shape)), key=lambda place: order[place])
    return flat.reshape([shape[axis] for axis in order]).transpose(back)
