"""A step's elements by channel and position: which of them are seen together, where others lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from qdbg.ops import registry

if TYPE_CHECKING:
    from qdbg.engine.step import Step

PLAIN = {2: "ni", 3: "ncl", 4: "nchw", 5: "ncdhw"}
"""The letters of a tensor's axes, by their number: sample, channel, depth, height, width."""
UNKNOWN = "nmpqrstu"
"""The letters of axes that nothing is known of."""
OUTER, SPATIAL = "nd", "dhwl"
"""The axes that pictures are taken of one by one besides the channels; those of an image."""


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes of a step, and how its elements lie on them. An element is a flat index."""

    letters: tuple[str, ...]
    """`n h w c`, in the order of the stage's array."""
    shape: tuple[int, ...]

    def named(self, letters: str) -> tuple[int, ...]:
        """The places of those axes."""
        return tuple(i for i, letter in enumerate(self.letters) if letter in letters)

    @property
    def spatial(self) -> tuple[int, ...]:
        """The axes of an image or a line of samples; empty where there is none."""
        return self.named(SPATIAL)

    @property
    def channels(self) -> tuple[int, ...]:
        """The axes of what is no sample and no position; the last axis where there is no image."""
        own = tuple(i for i, letter in enumerate(self.letters) if letter not in OUTER + SPATIAL)
        return own if self.spatial else self.all[-1:]

    @property
    def planes(self) -> tuple[int, ...]:
        """The axes of samples and depths."""
        return self.named(OUTER) if self.spatial else self.all[:-1]

    @property
    def columns(self) -> tuple[int, ...]:
        """The axis from left to right."""
        return self.spatial[-1:] or self.all[-1:]

    @property
    def rows(self) -> tuple[int, ...]:
        """The axis from top to bottom: an image's height, or the channels of a line of samples."""
        return self.named("h") or (self.channels[-1:] if self.spatial else self.all[-1:])

    @property
    def all(self) -> tuple[int, ...]:
        """Every axis."""
        return tuple(range(len(self.shape)))

    def seen(self, view: str) -> tuple[int, ...]:
        """The axes along which a view's elements lie: of a `channel`, of a `pixel`, of a `picture`,
        or all of a `table`, and of a step that is no image."""
        if not self.spatial:
            return self.all
        ways = {"channel": self.spatial, "pixel": self.channels, "picture": self.rows}
        return ways.get(view, self.all)

    def index(self, element: int) -> tuple[int, ...]:
        """The element's place on each axis."""
        found = []
        for length in reversed(self.shape):
            element, place = divmod(element, length)
            found.append(place)
        return tuple(reversed(found))

    def element(self, index: tuple[int, ...]) -> int:
        """The element at the place."""
        flat = 0
        for place, length in zip(index, self.shape, strict=True):
            flat = flat * length + place
        return flat

    def among(self, axes: tuple[int, ...], element: int) -> int:
        """The element's number among those that differ from it on these axes only."""
        index, flat = self.index(element), 0
        for axis in axes:
            flat = flat * self.shape[axis] + index[axis]
        return flat

    def size(self, axes: tuple[int, ...]) -> int:
        """How many elements differ on these axes only."""
        return prod(self.shape[axis] for axis in axes)

    def at(self, axes: tuple[int, ...], element: int, number: int) -> int:
        """The element of that number among those that differ from `element` on these axes only."""
        index = list(self.index(element))
        for axis in reversed(axes):
            number, index[axis] = divmod(number, self.shape[axis])
        return self.element(tuple(index))

    def moved(self, axes: tuple[int, ...], element: int, by: int) -> int:
        """The element so many further along these axes; the last, or the first, is the end."""
        number = self.among(axes, element) + by
        return self.at(axes, element, min(max(0, number), self.size(axes) - 1))

    def placed(self, element: int) -> Mapping[str, int]:
        """The element's place by the axes' letters."""
        return dict(zip(self.letters, self.index(element), strict=True))

    @property
    def torch_order(self) -> tuple[int, ...]:
        """The axes in the order of PyTorch's tensor: samples, channels, positions. Empty where that
        is the stage's own order, and for windows, which are no tensor of PyTorch's."""
        order = (*self.named("n"), *self.channels, *self.spatial)
        windows = len(self.channels) > 1
        return () if windows or not self.spatial or order == self.all else order


def place_of(step: Step, element: int) -> str:
    """The element as it is typed: the number of its row's only axis, or one of each axis; behind
    their letters where PyTorch has the axes in another order: `nhwc 0,3,4,12`."""
    index = step.index_of(element)
    if step.rows <= 1:
        return str(index[-1] if index else 0)
    order = "".join(axes_of(step).letters) + " " if step.moved else ""
    return order + ",".join(map(str, index))


def axes_of(step: Step) -> Axes:
    """The axes of the step's array. The formula names the last one."""
    return Axes(_letters(step), step.shape)


def _letters(step: Step) -> tuple[str, ...]:
    count, last = len(step.shape), ""
    op = registry().get(step.node.op)
    if step.stage is None and op is not None and not op.image:
        return (*UNKNOWN[: count - 1], "c") if count else ()
    own = op.axes if step.stage is not None and op is not None else ""
    if step.stage is not None and "[" in step.stage.formula.partition("=")[0]:
        last = step.stage.formula.partition("[")[2].partition("]")[0]
    if own:
        found = (*own, *("g" if step.of_inputs else ""), last or "i")
        return found if len(found) == count else tuple(UNKNOWN[:count])
    plain = tuple(PLAIN.get(count, UNKNOWN[:count]))
    if last in {"", "i"} and count in PLAIN:
        return plain
    first = plain[:-1] if last not in plain[:-1] else tuple(UNKNOWN[: count - 1])
    return (*first, last or "i") if count else ()
