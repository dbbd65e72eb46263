"""The user's golden model in `qdbg show`: a row per call that it covers, and what differs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qdbg.core.program import Node, Recording
from qdbg.core.quantity import Array
from qdbg.engine.trace import Trace
from qdbg.errors import GoldenError
from qdbg.golden import TIMEOUT, Column, Golden, load
from qdbg.headless.differences import (
    CallDifferences,
    call_differences,
    element_lines,
    order_of,
    plain,
    signed,
)
from qdbg.headless.output import write_error
from qdbg.ops import registry
from qdbg.places import find_place

if TYPE_CHECKING:
    import argparse

SAME = "same numbers, "
MISPLACED = "not in PyTorch's places: "


def golden_for(options: argparse.Namespace, recording: Recording, feed: str) -> Golden | None:
    """What --golden names, run on the recording; None without it. Raises GoldenError.

    What the user's code prints goes to stderr.
    """
    if options.golden is None:
        return None
    timeout = TIMEOUT if options.golden_timeout is None else options.golden_timeout
    try:
        golden = load(Path(options.golden), recording, feed=feed, timeout=timeout)
    except GoldenError as error:
        _pass_on(error.printed)
        raise
    _pass_on(golden.printed)
    return golden


def golden_columns(
    options: argparse.Namespace, recording: Recording
) -> tuple[dict[int, Array], list[str]]:
    """The golden integers by call, for the app, and how they had to be read. Raises GoldenError."""
    timeout = TIMEOUT if options.golden_timeout is None else options.golden_timeout
    golden = load(Path(options.golden), recording, timeout=timeout)
    columns = {call: column.values for call, column in golden.columns.items()}
    return columns, [f"golden {note}" for note in layout_notes(golden)]


def _pass_on(printed: str) -> None:
    if printed.strip():
        write_error(printed.rstrip("\n"))


def golden_rows(golden: Golden) -> list[tuple[str, ...]]:
    """A heading and a row per covered call: mark, call, where from, how many differ, max |Δ|."""
    rows: list[tuple[str, ...]] = [
        ("", "call", "golden numbers from", "differ", "max |Δ|", "layout")
    ]
    for call, column in golden.columns.items():
        found = golden.comparison(call)
        if found is not None:
            rows.append(
                (
                    "≠" if found.differences else "✓" if column.laid.known else "!",
                    golden.recording.program.nodes[call].name,
                    column.source,
                    f"{found.differences} of {found.elements}",
                    f"{found.max_delta:.6g}",
                    layout_words(column, found.differences),
                )
            )
    return rows


def layout_notes(golden: Golden) -> tuple[str, ...]:
    """Of each call whose numbers do not lie as PyTorch's do, how they had to be read."""
    return tuple(
        f"{golden.recording.program.nodes[call].name}: {layout_words(column, found.differences)}"
        for call, column in golden.columns.items()
        if column.layout is not None and (found := golden.comparison(call)) is not None
    )


def layout_words(column: Column, differences: int) -> str:
    """How the numbers of a column lie, so many of which differ; empty where they stand plainly."""
    laid = column.laid
    if laid.words is None:
        return ""
    written = ", ".join(laid.written)
    stood = f"{MISPLACED}{laid.stood} of {column.values.size} differ as they stand"
    tail = f", written {written}" if written and laid.order else ""
    if laid.order is not None and not laid.known:
        return f"{stood}, {differences or 'none'} read {_as(laid.order)}{tail}"
    if differences:
        parts = [_as(laid.order)] if laid.order else []
        parts += [f"as if written {written}"] if written else []
        return f"read {', '.join(parts)}"
    if laid.order is None:
        return f"{SAME}written {written}"
    return f"{SAME}other layout: {laid.order}{tail}"


def _as(order: str) -> str:
    """`as NHWC`, `in reversed order`."""
    return order if order.startswith(("in ", "with ", "transposed")) else f"as {order}"


def misplaced(golden: Golden) -> tuple[str, ...]:
    """The calls of which all numbers are there, but not where PyTorch has them."""
    nodes = golden.recording.program.nodes
    return tuple(
        nodes[call].name
        for call, column in golden.columns.items()
        if not column.laid.known
        and (found := golden.comparison(call)) is not None
        and not found.differences
    )


def golden_elements(golden: Golden) -> list[str]:
    """The first differing elements of each covered call."""
    nodes, values = golden.recording.program.nodes, golden.recording.values
    return [
        line
        for call, column in golden.columns.items()
        if (found := _differences(nodes[call], column.values, values[call])) is not None
        for line in element_lines(found, "captured", "golden")
    ]


def _differences(node: Node, golden: Array, captured: Array) -> CallDifferences | None:
    return call_differences(node.name, golden, captured, order_of(node))


def golden_verdict(golden: Golden) -> str:
    """One sentence."""
    compared = sum(column.values.size for column in golden.columns.values())
    covered = f"{len(golden.columns)} of {len(golden.recording.values)} calls"
    count, nodes = golden.differences, golden.recording.program.nodes
    if not count:
        found = misplaced(golden)
        but = f", but {MISPLACED}{', '.join(found)}" if found else ""
        return f"{golden.path} gives every one of the {compared} captured values of {covered}{but}."
    moved = [nodes[call].name for call, column in golden.columns.items() if not column.laid.known]
    but = f"; {MISPLACED}{', '.join(moved)}" if moved else ""
    return f"{count} of {compared} golden values differ from PyTorch's, over {covered}{but}."


def golden_data(golden: Golden, call: int, *, values: bool) -> dict[str, object] | None:
    """The golden column of a call as JSON data; None where the file does not cover it."""
    column, found = golden.columns.get(call), golden.comparison(call)
    if column is None or found is None:
        return None
    largest = found.max_delta
    data: dict[str, object] = {
        "source": column.source,
        "differences": found.differences,
        "max_delta": int(largest) if largest == int(largest) else largest,
        "layout": column.layout,
        "in_place": column.laid.known,
    }
    return data | {"values": column.values.tolist()} if values else data


def golden_element(golden: Golden, trace: Trace, text: str) -> str | None:
    """The golden number of one element; None where the file does not cover it."""
    place = find_place(trace, text)
    if place is None or place.element is None:
        return None
    step = trace.step(place.step)
    column = golden.columns.get(step.call)
    if column is None or step.captured is None:
        return None
    index = step.index_of(place.element)
    mine = _as_stages_see_it(column.values, step.node.op)[index].reshape(1)
    found = call_differences("", mine, step.captured.reshape(step.shape)[index].reshape(1))
    change = signed(found.elements[0].delta) if found else "0"
    return f"golden {plain(mine[0].item())}   Δ {change}   ({column.source})"


def _as_stages_see_it(values: Array, op: str) -> Array:
    known = registry().get(op)
    return np.moveaxis(values, 1, -1) if known is not None and known.channels_last else values
