"""Calls that move integers: any order of memory, every setting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)

from qdbg.selftest.draw import Case, Draw

BROAD: Any = torch.atleast_3d
ELEMENTS = 60_000
"""How many elements a large tensor has at most."""
MANY = 24
"""An axis that is longer is not cut into single places."""
Move = Callable[[Draw, torch.Tensor], Callable[[], Any]]


def tensor(draw: Draw, axes: int | None = None) -> torch.Tensor:
    """Of any type, with an axis or more, in any order of memory."""
    dtype = str(draw.choice(["quint8", "quint8", "qint8", "qint32"]))
    count = draw.integer(1, 5) if axes is None else axes
    shape = [int(draw.random.integers(1, 13 if count < 4 else 7)) for _ in range(count)]
    return laid_out(draw, draw.quantized(draw.lengthened(shape, most=ELEMENTS), dtype))


def laid_out(draw: Draw, x: torch.Tensor) -> torch.Tensor:
    """The same tensor in some order of memory."""
    if draw.chance(0.3):
        order = [int(i) for i in draw.random.permutation(x.ndim)]
        back = [order.index(i) for i in range(x.ndim)]
        return x.permute(order).clone(memory_format=torch.contiguous_format).permute(back)
    return draw.laid_out(x)


def image(draw: Draw, dtypes: tuple[str, ...] = ("quint8", "qint8")) -> torch.Tensor:
    """Images of bytes with up to 24 channels."""
    sizes = (draw.integer(1, 3), draw.integer(1, 24), draw.integer(1, 9), draw.integer(1, 9))
    shape = draw.lengthened(sizes)
    return draw.laid_out(draw.quantized(shape, str(draw.choice(dtypes))))


def axis(draw: Draw, x: torch.Tensor) -> int:
    """One of the axes, counted from either end."""
    return int(draw.random.integers(-x.ndim, x.ndim))


def some(draw: Draw, n: int) -> int:
    """From 0 to n."""
    return int(draw.random.integers(0, n + 1))


def one(draw: Draw, ways: Sequence[Callable[[], Any]]) -> Callable[[], Any]:
    """One of the ways."""
    return ways[some(draw, len(ways) - 1)]


def sliced(draw: Draw, x: Any) -> Callable[[], Any]:
    """Any start, end and step."""
    a, b, step = some(draw, 8) - 4, some(draw, 12), 1 + some(draw, 3)
    places = slice(a if draw.chance(0.7) else None, b if draw.chance(0.7) else None, step)
    return lambda: x[..., places]


def parts(draw: Draw, x: Any) -> Callable[[], Any]:
    """All the ways to cut an axis."""
    dim, n = axis(draw, x), 1 + some(draw, 4)
    length = x.shape[dim]
    first = some(draw, length)
    ways: list[Callable[[], Any]] = [
        lambda: x.split(max(n, length // 12), dim),
        lambda: x.chunk(n, dim),
        lambda: x.tensor_split(n, dim),
        lambda: x.tensor_split([first], dim),
        lambda: x.split([first, length - first], dim),
    ]
    return one(draw, ways if length > MANY else [*ways, lambda: x.unbind(dim)])


def turned(draw: Draw, x: Any) -> Callable[[], Any]:
    """All the ways to turn axes."""
    a, b = axis(draw, x), axis(draw, x)
    order = [int(i) for i in draw.random.permutation(x.ndim)]
    ways: list[Callable[[], Any]] = [
        lambda: x.permute(order),
        lambda: x.swapaxes(a, b),
        lambda: x.movedim(a, b),
        lambda: x.flip([a]),
    ]
    if x.ndim > 1:
        ways += [lambda: x.rot90(b, (0, 1)), lambda: x.mT, lambda: x.diagonal(a, 0, 1)]
        short = sorted(range(x.ndim), key=lambda each: x.shape[each])[:2]
        ways += [lambda: x.diagonal(0, *short)] * (1 + draw.large)
    return one(draw, ways)


def transposed(draw: Draw, x: Any) -> Callable[[], Any]:
    """Two axes exchanged."""
    a, b = axis(draw, x), axis(draw, x)
    return lambda: x.transpose(a, b)


def shaped(draw: Draw, x: Any) -> Callable[[], Any]:
    """All the ways to give another shape."""
    dim, start = axis(draw, x), some(draw, x.ndim - 1)
    return one(
        draw,
        [
            lambda: x.reshape(-1),
            lambda: x.reshape(*reversed(x.shape)),
            lambda: x.flatten(start),
            lambda: x.unflatten(dim, (1, -1)),
            lambda: x.unsqueeze(dim),
            x.squeeze,
            lambda: x.squeeze(dim),
            x.ravel,
            lambda: BROAD(x),
        ],
    )


def chosen(draw: Draw, x: Any) -> Callable[[], Any]:
    """Some places of an axis."""
    dim = axis(draw, x)
    place = some(draw, x.shape[dim] - 1)
    length = some(draw, x.shape[dim] - place)
    index = torch.tensor([some(draw, x.shape[dim] - 1) for _ in range(5)])
    size = 1 + some(draw, min(x.shape[dim], MANY) - 1)
    return one(
        draw,
        [
            lambda: x.select(dim, place),
            lambda: x.select(dim, place - x.shape[dim]),
            lambda: x.narrow(dim, place, length),
            lambda: x.index_select(dim, index),
            lambda: x.unfold(dim, size, 2),
        ],
    )


def again(draw: Draw, x: Any) -> Callable[[], Any]:
    """Integers several times, or once more in another order of memory."""
    n, dim = 1 + some(draw, 2), axis(draw, x)
    times = [1 if draw.large and draw.chance(0.7) else n for _ in x.shape]
    ways: list[Callable[[], Any]] = [
        lambda: x.unsqueeze(0).expand(n, *x.shape),
        lambda: x[:1].expand(n, *x.shape[1:]),
        lambda: x.repeat(*times),
        lambda: x.tile((n,)),
        lambda: x.repeat_interleave(n, dim),
        x.clone,
        x.contiguous,
        x.detach,
        lambda: x.clone().as_strided_(x.shape, x.clone().stride()),
        lambda: F.dropout(x, 0.5, training=False),
        lambda: x.clone().copy_(x),
    ]
    return one(draw, ways)


def moving(move: Move) -> Callable[[Draw], Case]:
    """A case of a move of any tensor."""
    return lambda draw: either_mode(draw, move(draw, tensor(draw)))


def either_mode(draw: Draw, run: Callable[[], Any]) -> Case:
    """In half of the cases in inference mode, where the dispatcher tells calls by other names:
    `flatten` instead of `view`."""
    if draw.chance(0.5):
        return Case(run)

    def inference() -> Any:
        with torch.inference_mode():
            return run()

    return Case(inference)


def pixels(draw: Draw) -> Case:
    """Pixel shuffle both ways, and channel shuffle."""
    r, kind = draw.integer(1, 3), str(draw.choice(["quint8", "qint8"]))
    sizes = (draw.integer(1, 3), draw.integer(1, 6) * r * r)
    image = (draw.integer(1, 4) * r, draw.integer(1, 4) * r)
    x = draw.laid_out(draw.quantized(draw.lengthened((*sizes, *image), [0]), kind))
    ways: list[Callable[[], Any]] = [
        lambda: F.pixel_shuffle(x, r),
        lambda: F.pixel_unshuffle(x, r),
    ]
    if kind == "quint8":
        ways.append(lambda: F.channel_shuffle(x, r))
    return Case(draw.choice(ways))


def pad(draw: Draw) -> Case:
    """A frame of any value, also one that crops; or the edges mirrored."""
    x = image(draw)
    if draw.chance(0.1):
        line = x.flatten(2)
        ends = [some(draw, min(3, line.shape[2] - 1)) for _ in range(2)]
        return either_mode(draw, lambda: F.pad(line, ends, mode="reflect"))
    if draw.chance(0.3):
        most = min(x.shape[2:]) - 1
        around = [some(draw, min(3, most)) for _ in range(4)]
        return either_mode(draw, lambda: F.pad(x, around, mode="reflect"))
    around = [some(draw, 3) - (1 if min(x.shape) > 2 and draw.chance(0.2) else 0) for _ in range(4)]
    value = float((draw.random.integers(-300, 300) + 0.5) * x.q_scale())
    value = float(draw.choice([0.0, value, float(draw.floats((1,))[0])]))
    return either_mode(draw, lambda: F.pad(x, around, value=value))


CASES = {
    "parts": moving(parts),
    "slice": moving(sliced),
    "transpose": moving(transposed),
    "turn": moving(turned),
    "shape": moving(shaped),
    "choose": moving(chosen),
    "again": moving(again),
    "pixels": pixels,
    "pad": pad,
}
