"""Runs in a child process at one CPU level: float32 sums over random axes, ATen's and qdbg's.

Writes one JSON list: how many sums were compared, how many differ, and how many differ when they
are added up row by row instead.
"""

import json
import sys

import numpy as np
import torch

from qdbg.ops._float_sums import summing, total

SIZES = (1, 2, 3, 5, 7, 8, 9, 16, 33, 40, 64, 300)
LARGEST = 200_000
torch.set_num_threads(1)


def drawn(random):
    """A tensor with its axes in any order of memory, and some of them."""
    shape = [int(n) for n in random.choice(SIZES, random.integers(1, 6))]
    while np.prod(shape) > LARGEST:
        shape[int(random.integers(len(shape)))] = 2
    order = random.permutation(len(shape))
    numbers = random.standard_normal([shape[axis] for axis in order]).astype(np.float32)
    back = [int(axis) for axis in np.argsort(order)]
    some = random.permutation(len(shape))[: random.integers(1, len(shape) + 1)]
    return torch.from_numpy(numbers).permute(back), sorted(int(axis) for axis in some)


def differing(seed):
    x, dims = drawn(np.random.default_rng(seed))
    wanted = x.sum(dims).numpy()
    kept = [axis for axis in range(x.ndim) if axis not in dims]
    window = x.numpy().transpose(*kept, *dims).reshape(*wanted.shape, -1)
    found = total(window, *summing(x.shape, x.stride(), dims))
    in_turn = window.cumsum(axis=-1, dtype=np.float32)[..., -1]
    return wanted.size, int((found != wanted).sum()), int((in_turn != wanted).sum())


found = zip(*map(differing, range(int(sys.argv[1]))), strict=True)
json.dump([sum(column) for column in found], sys.stdout)
