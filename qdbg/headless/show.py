"""`qdbg show`: the facts of a run as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import asdict
from itertools import zip_longest

import numpy as np

from qdbg import __version__
from qdbg.core.op import NotSimulated
from qdbg.core.quantity import Array
from qdbg.engine.survey import Fare, leaving_least, survey
from qdbg.engine.trace import Trace
from qdbg.golden import Golden
from qdbg.headless.differences import element_lines, trace_differences
from qdbg.headless.golden import golden_data, golden_elements, golden_rows, golden_verdict
from qdbg.ops import registry
from qdbg.ops.recurrent import result_of
from qdbg.whatif import effect, not_known

INDICES = "given to PyTorch as int64: the model takes its input as indices"
MARKS = {"equal": "✓", "differs": "≠", "not simulated": "○"}
"""The mark of a call, by its status."""


def show_text(trace: Trace, note: str = "", golden: Golden | None = None) -> str:
    """Header, a line per call, the first differing elements, every arithmetic, the verdict.

    `note` says in words whether and how the input was scaled; `golden` adds the user's numbers.
    """
    with np.errstate(all="ignore"):
        changed = bool(trace.what_if)
        fares = () if changed else survey(trace.recording, trace.feed, trace.arithmetic)
        parts = [
            _header(trace, note),
            _calls(trace),
            _differing(trace),
            *_golden(golden),
            _reasons(trace),
            [] if changed else _fares(trace, fares),
            ([f"what if: {effect(trace)}."] if changed else _verdict(trace, fares))
            + ([golden_verdict(golden)] if golden is not None else []),
        ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _header(trace: Trace, note: str) -> list[str]:
    recording = trace.recording
    found = recording.environment
    observed = "observing changed nothing" if found.unperturbed else "observing changed the result"
    fed = "PyTorch's integers" if trace.feed == "captured" else "the simulated integers"
    return [
        f"model      {recording.model}  (SHA-256 {recording.sha256[:12]}…)",
        f"sample     {recording.sample}{f': {note}' if note else ''}",
        *([f"           {INDICES}"] if recording.input.dtype == np.int64 else []),
        f"captured   {found.engine}/{found.cpu} ({found.kernel}), PyTorch {found.torch}, "
        f"{observed}",
        f"processor  {found.processor}",
        f"simulated  {trace.arithmetic.name}, each call fed {fed}",
        *([f"what if    {trace.what_if}; captured is the original run's"] if trace.what_if else []),
        *([f"           {not_known(trace)}"] if not_known(trace) else []),
    ]


def call_title(trace: Trace, call: int) -> str:
    """`Linear 4→16`, `Conv2d 3→8 3×3`."""
    node, layer = trace.nodes[call], trace.layer(call)
    op = registry().get(node.op)
    if op is None:
        return node.op
    title = f"{result_of(node)}{op.title}"
    return f"{title} {layer.sizes}" if layer is not None and layer.sizes else title


def _calls(trace: Trace) -> list[str]:
    rows = [("", "call", "op", "result", "type", "status", "differ", "max |Δ|", "source")]
    for call, (node, found) in enumerate(zip(trace.nodes, trace.comparisons, strict=True)):
        simulated = found.status != "not simulated"
        rows.append(
            (
                MARKS[found.status],
                node.name,
                call_title(trace, call),
                "×".join(str(n) for n in node.shape) or "1",
                node.dtype,
                found.status,
                f"{found.differences} of {found.elements}" if simulated else "",
                f"{found.max_delta:.6g}" if simulated else "",
                node.source or "",
            )
        )
    return aligned(rows, right={6, 7})


def aligned(rows: Sequence[Sequence[str]], right: Set[int] = frozenset()) -> list[str]:
    """The rows as lines, each column as wide as its widest cell."""
    widths = [max(len(cell) for cell in column) for column in zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(
            f"{cell:>{width}}" if i in right else f"{cell:<{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in rows
    ]


def _differing(trace: Trace) -> list[str]:
    return [
        line
        for call in trace_differences(trace)
        for line in element_lines(call, "captured", "simulated")
    ]


def _golden(golden: Golden | None) -> list[list[str]]:
    if golden is None:
        return []
    fed = "PyTorch's integers" if golden.feed == "captured" else "its own results"
    head = f"golden     {golden.path}" + (f", each function fed {fed}" if golden.rerun else "")
    return [[head, *aligned(golden_rows(golden), right={3, 4})], golden_elements(golden)]


def _reasons(trace: Trace) -> list[str]:
    return [
        f"{node.name} is not simulated: {found.reason}"
        for node, found in zip(trace.nodes, trace.comparisons, strict=True)
        if found.reason
    ]


def _fares(trace: Trace, fares: Sequence[Fare]) -> list[str]:
    rows = [
        (
            "→" if trace.arithmetic.name in fare.names else " ",
            f"{', '.join(fare.names)}:",
            f"{fare.differences} of {fare.elements} differ"
            + (f", max |Δ| {fare.max_delta:.6g}" if fare.differences else "")
            if fare.elements
            else "not simulated",
        )
        for fare in fares
    ]
    return ["every arithmetic on this input", *aligned(rows)]


def _verdict(trace: Trace, fares: Sequence[Fare]) -> list[str]:
    own = trace.arithmetic.name
    here = next(fare for fare in fares if own in fare.names)
    skipped = "" if not here.not_simulated else f" {_calls_are(here.not_simulated)} not simulated."
    if not here.elements:
        lines = [f"Nothing could be compared.{skipped}"]
    elif not here.differences:
        every = "the only captured value"
        if here.elements > 1:
            every = f"every one of the {here.elements} captured values"
        lines = [f"{own} gives {every}.{skipped}"]
    else:
        lines = [
            f"{here.differences} of {here.elements} captured values differ under {own}; "
            f"{_best(trace, fares, here)}.{skipped}"
        ]
    if not trace.recording.environment.unperturbed:
        lines.append("PyTorch computed something else when it was not observed: trust neither.")
    return lines


def _best(trace: Trace, fares: Sequence[Fare], here: Fare) -> str:
    """The arithmetic that leaves least, and of which values."""
    name, best = leaving_least(trace.recording, fares)
    scope = best.scope(here)
    if best.differences:
        of = "" if scope == "them" else f" of {scope}"
        return f"no arithmetic gives all of them, {name} leaves {best.differences}{of}"
    return f"{name} gives every one of {scope}"


def _calls_are(count: int) -> str:
    return f"{count} call is" if count == 1 else f"{count} calls are"


# ----------------------------------------------------------------------------------- JSON


def show_data(
    trace: Trace, *, values: bool = False, golden: Golden | None = None
) -> dict[str, object]:
    """The facts as JSON data; with `values`, every captured and simulated number too, and the
    golden ones."""
    recording = trace.recording
    with np.errstate(all="ignore"):
        return {
            "qdbg": __version__,
            "model": {"path": recording.model, "sha256": recording.sha256},
            "capture": asdict(recording.environment),
            "arithmetic": trace.arithmetic.name,
            **({"what_if": trace.what_if} if trace.what_if else {}),
            "differences": trace.differences,
            "calls": [_call_data(trace, call, values, golden) for call in range(len(trace.nodes))],
        }


def _call_data(trace: Trace, call: int, values: bool, golden: Golden | None) -> dict[str, object]:
    node, found = trace.nodes[call], trace.comparisons[call]
    data: dict[str, object] = {
        "name": node.name,
        "op": node.op,
        "module": node.layer,
        "source": node.source,
        "shape": list(node.shape),
        "dtype": node.dtype,
        "status": found.status,
        "reason": found.reason,
        "differences": found.differences,
        "max_delta": found.max_delta if node.output is None else _whole(found.max_delta),
    }
    if values:
        made = trace.simulation(call)
        simulated = None if isinstance(made, NotSimulated) else made.result
        data["captured"] = _nested(trace.recording.values[call])
        data["simulated"] = None if simulated is None else _nested(simulated)
    if golden is not None:
        data["golden"] = golden_data(golden, call, values=values)
    return data


def _whole(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _nested(array: Array) -> object:
    nested: object = array.tolist()
    return nested
