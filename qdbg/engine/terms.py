"""What lies behind one accumulator: each product, each pair, and what saturation took away."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import product

import numpy as np

from qdbg.core.arithmetic import INT32, i32, i64, sat16
from qdbg.core.op import Kernel, NotSimulated
from qdbg.core.pairs import pair_members
from qdbg.core.presets import Arithmetic
from qdbg.core.quantity import Array
from qdbg.core.stage import Values
from qdbg.engine.positions import NO_PIXEL, PADDING, outside, positions
from qdbg.engine.simulate import group_of, kernel_of, window
from qdbg.engine.step import Step

LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Product:
    """One input times its weight."""

    k: int
    x: int
    """x_q as the kernel multiplies it: centred for exact sums, the raw byte for pairs."""
    w: int
    product: int
    real: tuple[float, float] | None = None
    """What input and weight stand for: scale·(q − zero_point); None where nothing says it."""
    place: str = ""
    """Of a convolution: the pixel and channel of the image, `3,0 ch 2`; `padding` outside it, `no
    pixel` where none reaches a transposed one's output by this position, and `left out` where the
    kernel multiplies nothing there."""

    @property
    def real_product(self) -> float | None:
        """The real input times the real weight; never a negative zero."""
        return None if self.real is None else self.real[0] * self.real[1] + 0.0


@dataclass(frozen=True, slots=True)
class Term:
    """What is added to the accumulator at once: one product, or a pair of them."""

    products: tuple[Product, ...]
    total: int
    """The sum of the products."""
    kept: int
    """What is added: `total`, or int16's bound where the pair saturates."""
    running: int
    """The accumulator after this term."""

    @property
    def excess(self) -> int:
        """What saturation took away: total − kept."""
        return self.total - self.kept


@dataclass(frozen=True, slots=True)
class Terms:
    """All the terms of one accumulator."""

    arithmetic: str
    """The name of the arithmetic that adds them up."""
    kernel: Kernel
    """How it adds them up, and why so."""
    rows: tuple[Term, ...]
    paired: bool
    """They are added two by two, and each pair is saturated to int16."""
    headroom: float
    """The largest running |sum| as a part of int32's range."""

    @property
    def saturating(self) -> tuple[Term, ...]:
        """The terms that saturate."""
        return tuple(term for term in self.rows if term.excess)

    @property
    def excess(self) -> int:
        """What saturation took away from the accumulator, in its units."""
        return sum(term.excess for term in self.rows)


def terms(step: Step, element: int, captured: Arithmetic | None = None) -> Terms | None:
    """The products behind an output element, added up as the simulated arithmetic does.

    Where that adds exactly they are added up as `captured` does, the arithmetic of PyTorch's
    kernel: it may saturate, and that is where the two differ. None where the op has no products,
    and for the stage that centres the inputs: its elements are no outputs.
    """
    made = step.simulation
    if made is None or step.stage is None or made.kernel is None or step.of_inputs:
        return None
    kernel, name = made.kernel, made.arithmetic.name
    if kernel.accumulator == "exact" and captured is not None:
        with suppress(NotSimulated):  # then the sum stands as the arithmetic has it
            kernel, name = kernel_of(step.node, captured, made.values) or kernel, captured.name
    index = step.index_of(element)
    x, w = window(made.values, index)
    real = _real(x, w, made.values, index[-1])
    if kernel.accumulator == "exact":
        x = x - i32(made.values["x_zp"])
        w_zp = i32(made.values["w_zp"]).reshape(-1)
        w = w - w_zp[index[-1] % w_zp.size]
    elif kernel.skips_padding:
        inside, _ = window({**made.values, "x_q": made.values["inside"]}, index)
        x = x * inside
        real = [(own if seen else 0.0, w) for (own, w), seen in zip(real, inside, strict=False)]
    at = places(made.values, index)
    if kernel.skips_padding:
        at = tuple(LEFT_OUT if place in {PADDING, NO_PIXEL} else place for place in at)
    return _collect(x, w, (at, real), kernel, name)


def _real(x: Array, w: Array, values: Values, channel: int) -> list[tuple[float, float]]:
    """The real values of inputs and weights; empty where their scales are not those of a tensor or
    of its channels."""
    if not {"x_scale", "x_zp", "w_scale", "w_zp"} <= values.keys() or np.ndim(values["x_scale"]):
        return []
    scale, zero_point = (np.asarray(values[name]).reshape(-1) for name in ("w_scale", "w_zp"))
    inputs = np.asarray(values["x_scale"]) * (i64(x) - i64(values["x_zp"]))
    own, middle = scale[channel % scale.size], i64(zero_point[channel % zero_point.size])
    weights = own * (i64(w) - middle)
    return list(zip(inputs.tolist(), weights.tolist(), strict=True))


def places(values: Values, index: tuple[int, ...]) -> tuple[str, ...]:
    """Where each input k of a convolution's window lies in the image; empty for other ops."""
    if "x_size" not in values:
        return ()
    channels = int(values["x_channels"]) // int(values["groups"])
    first = group_of(values["x_q"], values["w_q"], index[-1]) * channels
    found = []
    for at in product(*positions(values, index)):
        each = zip(at, values["x_size"], strict=True)
        inside = all(place is not None and 0 <= place < size for place, size in each)
        pixel = ",".join(map(str, at))
        found += [
            f"{pixel} ch {first + channel}" if inside else outside(values)
            for channel in range(channels)
        ]
    return tuple(found)


def _collect(
    x: Array,
    w: Array,
    beside: tuple[tuple[str, ...], list[tuple[float, float]]],
    kernel: Kernel,
    name: str,
) -> Terms:
    """Add the products up; what happens to many of them at once is numpy's, a term a row."""
    paired = kernel.accumulator != "exact"
    each = i64(x) * i64(w)
    totals = kept = each
    members = None
    if paired:
        first, second, both = members = pair_members(len(w), kernel.block)
        totals = each[first] + np.where(both, each[second], 0)
        kept = i64(sat16(totals))
    running = np.cumsum(kept)
    at, real = beside
    places, known = at or ("",) * len(w), real or (None,) * len(w)
    columns = (range(len(w)), x.tolist(), w.tolist(), each.tolist(), known, places)
    products = tuple(map(Product, *columns))
    groups: Iterable[tuple[Product, ...]] = ((product,) for product in products)
    if members is not None:
        pairs = zip(*(part.tolist() for part in members), strict=True)
        groups = ((products[a], products[b]) if two else (products[a],) for a, b, two in pairs)
    rows = tuple(map(Term, groups, totals.tolist(), kept.tolist(), running.tolist()))
    largest = int(np.abs(running).max(initial=0))
    return Terms(name, kernel, rows, paired, largest / INT32[1])


def lost_outputs(step: Step, element: int, found: Terms) -> float | None:
    """What the pairs' lost excess is worth in steps of the result: excess · x_scale·w_scale /
    y_scale. None for a call without these scales."""
    made = step.simulation
    if made is None or "y_scale" not in made.values:
        return None
    channel = step.index_of(element)[-1]
    w_scale = np.asarray(made.values["w_scale"])
    own = w_scale[channel] if w_scale.ndim else w_scale[()]
    return float(found.excess * made.values["x_scale"] * own / made.values["y_scale"])
