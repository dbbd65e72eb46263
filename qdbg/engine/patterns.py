"""What is known of differences that nothing explains: where they are, how large, of which sign."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qdbg.core.quantity import Array

NAMED = 6
"""How many channels, rows or sizes are named one by one."""
FEW = 2
"""So few differences are in one place or the other by chance, which is no pattern."""
ORDINALS = {2: "second", 4: "fourth", 8: "eighth"}
IMAGE = 3
"""From this many axes on, a result [n, c, …] has positions in an image."""


def patterns(change: Array) -> tuple[str, ...]:
    """Sentences about Δ, in the shape of the call's result."""
    differs = change != 0
    if not differs.any():
        return ()
    found = [_size(change[differs]), _sign(change[differs])]
    if np.count_nonzero(differs) <= FEW:
        return tuple(found)
    found += _channels(differs)
    found += _rows(differs)
    found += _border(differs)
    found += _tail(differs)
    return tuple(text for text in found if text)


def _size(change: Array) -> str:
    sizes, counts = np.unique(np.abs(change), return_counts=True)
    if len(sizes) <= NAMED:
        parts = (f"{n} by {size:g}" for size, n in zip(sizes, counts, strict=True))
        return f"how large: {', '.join(parts)}"
    middle = np.median(np.abs(change))
    return f"how large: from {sizes[0]:g} to {sizes[-1]:g}, half of them up to {middle:g}"


def _sign(change: Array) -> str:
    always = "always " if change.size > FEW else ""
    if np.all(change > 0):
        return f"sign: {always}above PyTorch's"
    if np.all(change < 0):
        return f"sign: {always}below PyTorch's"
    above = int(np.count_nonzero(change > 0))
    return f"sign: {above} above, {change.size - above} below PyTorch's"


def _few(what: str, places: Array, size: int) -> str:
    """Where only some of them are touched."""
    if len(places) == size or size == 1:
        return ""
    if len(places) <= NAMED:
        named = what[:-1] if len(places) == 1 else what
        return f"where: only {named} {', '.join(str(int(p)) for p in places)} of {size}"
    for step, ordinal in ORDINALS.items():
        rest = np.unique(places % step)
        if len(rest) == 1 and len(places) >= size // step:
            return f"where: only every {ordinal} {what[:-1]} from {int(places[0])} on, of {size}"
    return f"where: {len(places)} of {size} {what}"


def _channels(differs: Array) -> Iterator[str]:
    if differs.ndim > 1:
        others = tuple(axis for axis in range(differs.ndim) if axis != 1)
        yield _few("channels", np.flatnonzero(differs.any(axis=others)), differs.shape[1])


def _rows(differs: Array) -> Iterator[str]:
    others = tuple(range(1, differs.ndim))
    yield _few("samples", np.flatnonzero(differs.any(axis=others)), differs.shape[0])


def _border(differs: Array) -> Iterator[str]:
    """Of an image: only its outermost positions."""
    if differs.ndim < IMAGE:
        return
    inner = (slice(None), slice(None), *(slice(1, -1) for _ in differs.shape[2:]))
    if min(differs.shape[2:]) > 2 and not differs[inner].any():  # noqa: PLR2004 - a border has an inside
        yield "where: only at the border of the image, which points to the padding"


def _tail(differs: Array) -> Iterator[str]:
    """Only elements behind the last whole block of 64."""
    flat = differs.reshape(-1)
    whole = flat.size // 64 * 64
    if 0 < whole < flat.size and not flat[:whole].any():
        yield "where: only behind the last whole block of 64 elements, which vectors do not reach"
