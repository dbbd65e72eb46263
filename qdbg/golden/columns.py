"""What a golden file says about a run: one column of numbers per call that it covers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from qdbg.core.program import Node, Recording
from qdbg.core.quantity import RANGES, STORAGE, Array, readonly
from qdbg.engine.compare import Comparison, compare
from qdbg.errors import GoldenError


@dataclass(frozen=True, slots=True)
class Laid:
    """How a file's numbers had to be read; nothing set: they stood as PyTorch's do."""

    written: tuple[str, ...] = ()
    """How each number is written: `as int8 bytes`."""
    order: str | None = None
    """How the elements lie: `NHWC`, `in reversed order`."""
    known: bool = True
    """Memory is laid out in this order, so that no element is in the place of another one."""
    stood: int = 0
    """How many of the numbers differ from PyTorch's in the file's own order."""

    @property
    def words(self) -> str | None:
        """All of it as one text; None where there is nothing to say."""
        return ", ".join((*self.written, *filter(None, (self.order,)))) or None


PLAIN = Laid()


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The golden numbers of one call."""

    values: Array
    """In the call's shape and its dtype; int64 where a number does not fit that dtype."""
    laid: Laid
    source: str
    """Where they come from: `golden.py line 12, fc1`."""

    @property
    def layout(self) -> str | None:
        """How the file's numbers had to be read; None where they stood as PyTorch's do."""
        return self.laid.words


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """A golden file beside one recording."""

    path: Path
    recording: Recording
    feed: str
    """What the functions were fed: one of FEEDS."""
    columns: Mapping[int, Column]
    """By the index of the call."""
    printed: str = ""
    """What the user's code printed, its beginning."""
    rerun: Callable[[Recording], Golden] | None = field(default=None, repr=False)
    """Runs the user's functions again; None for dumped arrays."""

    def again(self, recording: Recording) -> Golden:
        """The same functions on another recording of the model.

        Raises GoldenError for dumped arrays, which hold one run, and for what the code raises.
        """
        if self.rerun is None:
            raise GoldenError(
                f"{self.path} holds the numbers of one run",
                expected="a Python file of functions, which can run on another input",
            )
        return self.rerun(recording)

    def comparison(self, call: int) -> Comparison | None:
        """How the golden numbers of a call compare with the captured ones; None without any."""
        column = self.columns.get(call)
        if column is None:
            return None
        with np.errstate(all="ignore"):
            return compare(column.values, self.recording.values[call])

    @property
    def differences(self) -> int:
        """How many golden numbers differ from the captured ones, over all calls."""
        found = (self.comparison(call) for call in self.columns)
        return sum(c.differences for c in found if c is not None)


def as_result(values: Array, node: Node, where: str) -> Array:
    """Numbers in the shape of the call's result as its dtype; as int64 where they do not fit it.

    Raises GoldenError, calling them `where`, for numbers that are no integers.
    """
    if node.output is None:
        return readonly(_plain(values, node, where))
    if values.dtype.kind == "f":
        values = _whole(values, node, where)
    low, high = RANGES[node.output.dtype]
    inside = bool(((values >= low) & (values <= high)).all())
    return readonly(values.astype(STORAGE[node.output.dtype] if inside else np.int64))


def _plain(values: Array, node: Node, where: str) -> Array:
    """Of a result that is not quantized: cast, which rounds float64 to float32."""
    kind = np.dtype(node.dtype)
    if kind.kind != "f" and values.dtype.kind == "f":
        values = _whole(values, node, where)
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(kind)


def _whole(values: Array, node: Node, where: str) -> Array:
    with np.errstate(invalid="ignore"):
        broken = ~(np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < 2.0**63))
    if broken.any():
        index = tuple(int(i) for i in np.argwhere(broken)[0])
        raise GoldenError(
            f"{where} gives {values[index].item():.9g} at {list(index)}",
            expected=f"integers, for {node.name} is {node.dtype}",
        )
    return values.astype(np.int64)
