"""Random tensors that are hard on arithmetic: full range, ties, odd zero points, odd sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch

from qdbg.core.quantity import RANGES, STORAGE, Array
from qdbg.ops._lanes import GRAIN

TIE_RICH = 0.5
"""The part of cases whose scales are powers of two, so that many results end on .5."""
LARGE = 0.25
"""The part of cases that are large: they bring the integers, the small ones bring odd shapes."""
SHARED = 0.2
"""The part of the large cases of element-wise ops that two threads may share."""
ELEMENTS = 20_000
"""How many elements a large tensor has at most, and a quarter of it at least."""
MIDDLE = 128
"""A zero point that leaves room on both sides."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something to run by PyTorch."""

    run: Callable[[], Any]
    """Makes the calls. What it takes has been made before: only its calls are compared."""
    modules: Mapping[str, torch.nn.Module] = field(default_factory=dict)
    """The modules that it runs, by path: their weights become layers of the recording."""
    weights: Mapping[str, tuple[torch.Tensor, torch.Tensor | None]] = field(default_factory=dict)
    """Weight and bias by path, where they were given: some engines do not give them back."""


class Draw:
    """A source of random choices. `size` bounds how large tensors are: 1.0 in a full run, less
    when a difference is made smaller. With `large` from 1 on the draw is large whatever the seed
    says, and so many times as long as usual."""

    def __init__(
        self, seed: int, engine: str, level: str, size: float = 1.0, large: int = 0
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.engine = engine
        self.level = level
        self.size = size
        self.tie = self.chance(TIE_RICH)
        self.large = (size >= 1 and self.chance(LARGE)) or large > 0
        self._longer = max(large, 1)
        self.threads = 1
        """How many PyTorch may use for the case."""

    def chance(self, part: float) -> bool:
        """True in this part of the draws."""
        return bool(self.random.random() < part)

    def choice(self, options: Sequence[Any]) -> Any:
        """One of them."""
        return options[int(self.random.integers(len(options)))]

    def integer(self, low: int, high: int) -> int:
        """From low to high, both included; a small draw stays near low."""
        top = low + round((high - low) * self.size)
        return int(self.random.integers(low, top + 1))

    def shared(self) -> tuple[int, ...] | None:
        """Now and then, the shape of a tensor that is so long that two threads share it; PyTorch
        may use two then. None otherwise."""
        if not self.large or not self.chance(SHARED):
            return None
        self.threads = 2
        return (int(self.random.integers(GRAIN - 70, 2 * GRAIN + 200)),)

    def lengthened(
        self, shape: Sequence[int], axes: Sequence[int] | None = None, most: int = ELEMENTS
    ) -> tuple[int, ...]:
        """The shape; in a large draw one of these axes, any if they are not given, is made so long
        that there are up to `most` elements."""
        made = [int(n) for n in shape]
        rest = int(np.prod(made))
        if not self.large or not rest:
            return tuple(made)
        axis = int(self.choice(range(len(made)) if axes is None else axes))
        goal = float(np.exp(self.random.uniform(np.log(most / 4), np.log(most)))) * self._longer
        made[axis] = max(made[axis], int(goal * made[axis] / rest))
        return tuple(made)

    def zero_point(self, dtype: str = "quint8") -> int:
        """Anywhere in the range, often at its ends or middle."""
        low, high = RANGES[dtype]
        ends = [low, high, (low + high + 1) // 2]
        anywhere = int(self.random.integers(low, high + 1))
        return int(self.choice(ends)) if self.chance(0.2) else anywhere

    def scale(self, low: float = 1e-3, high: float = 0.5) -> float:
        """A power of two in tie-rich cases, else anything between, evenly by magnitude."""
        if self.tie:
            return float(2.0 ** round(self.random.uniform(np.log2(low), np.log2(high))))
        return self.uneven_scale(low, high)

    def uneven_scale(self, low: float = 1e-3, high: float = 0.5) -> float:
        """Anything between, in tie-rich cases too: float32 has to round what it multiplies."""
        return float(np.exp(self.random.uniform(np.log(low), np.log(high))))

    def halves(self, unit: float) -> float:
        """A scale within some float32 steps of 2/1, 2/3, 6/7 … units: of all whole numbers of units
        a half, a sixth, a tenth or a fourteenth lies near a rounding tie then."""
        above, below = (2 * int(self.random.integers(0, 4)) + 1 for _ in range(2))
        near = 2 * unit * above / below
        return float(self.steps_away(np.array([near]))[0])

    def integers(self, shape: Sequence[int], dtype: str = "quint8") -> Array:
        """Of the dtype's storage: over the full range, or its ends alone, or its upper half."""
        low, high = RANGES[dtype]
        kind = self.random.random()
        if kind < 0.1:
            ends = np.array([low, high], STORAGE[dtype])
            return np.asarray(ends[self.random.integers(0, 2, shape, np.int8)])
        bottom = (low + high + 1) // 2 if kind < 0.25 else low
        return np.asarray(self.random.integers(bottom, high, shape, STORAGE[dtype], endpoint=True))

    def quantized(
        self,
        shape: Sequence[int],
        dtype: str = "quint8",
        scale: float | None = None,
        zero_point: int | None = None,
    ) -> torch.Tensor:
        """A quantized tensor with one scale, row-major."""
        return per_tensor(
            self.integers(shape, dtype),
            self.scale() if scale is None else scale,
            self.zero_point(dtype) if zero_point is None else zero_point,
        )

    def laid_out(self, tensor: torch.Tensor) -> torch.Tensor:
        """The same values in another order of memory, in half of the draws: channels last, or a
        strided view where the tensor has no image."""
        if self.chance(0.5):
            return tensor
        if tensor.ndim == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        if tensor.ndim == 5:
            return tensor.contiguous(memory_format=torch.channels_last_3d)
        return tensor.transpose(0, -1).contiguous().transpose(0, -1)

    def floats(self, shape: Sequence[int], spread: float = 1.0) -> torch.Tensor:
        """float32, normally distributed."""
        return torch.from_numpy(self.random.normal(0, spread, shape).astype(np.float32))

    def steps_away(self, x: Array) -> Array:
        """float32 values, each moved by up to three float32 steps."""
        near = np.asarray(x, np.float32)
        steps = self.random.integers(-3, 4, near.shape).astype(np.int32)
        return np.asarray((near.view(np.int32) + steps).view(np.float32))


Generator: TypeAlias = Callable[[Draw], Case | None]
"""Makes a case; None where the engine does not have the op."""


def per_tensor(q: Array, scale: float, zero_point: int) -> torch.Tensor:
    """A quantized tensor of these integers."""
    made = torch.from_numpy(np.ascontiguousarray(q))
    return torch._make_per_tensor_quantized_tensor(made, scale, zero_point)


def per_channel(q: Array, scale: Array, axis: int = 0) -> torch.Tensor:
    """A quantized tensor of these integers with a scale for each channel, zero points 0."""
    zero_points = torch.zeros(len(scale), dtype=torch.int64)
    made = torch.from_numpy(np.ascontiguousarray(q))
    scales = torch.from_numpy(np.asarray(scale, np.float64))
    return torch._make_per_channel_quantized_tensor(made, scales, zero_points, axis)
