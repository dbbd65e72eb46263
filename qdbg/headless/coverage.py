"""The table of a self-test: op by engine by CPU level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from qdbg import __version__
from qdbg.selftest.cell import Count, Findings

DIFFERS, NOT_CLAIMED, OPEN = 1, 3, 2
CLAIMED, EXHAUSTIVE, REFUSED, ABSENT, DIFFERENT = "✓", "∀", "○", "·", "≠"
MILLION, THOUSAND = 10**6, 10**3
WIDTH = 10
PARAMETERS = 10
"""With so many drawn parameters must all inputs have been met where an op counts as exhausted."""


def status_of(found: Sequence[Findings]) -> int:
    """0 all equal and proved, 1 differences or a dead child, 2 a seeded fault that was missed,
    3 nothing differs but some calls were not simulated."""
    counts = [count for each in found for count in each.counts.values()]
    if any(count.differences for count in counts) or any(each.ended for each in found):
        return DIFFERS
    if any(each.missed for each in found):
        return OPEN
    return NOT_CLAIMED if any(count.refused for count in counts) else 0


def coverage_data(
    found: Sequence[Findings], seed: int, budget: str, cases: Sequence[str] = ()
) -> dict[str, object]:
    """Everything as plain data, for --json.

    - qdbg, torch, processor: versions, and what the processor calls itself; null where no child
      came to say it
    - date: when the run ended, in UTC: `2026-11-23T10:00:00+00:00`
    - seed, budget, cases: what was asked for: a number, the text of --budget, the names of --op
    - cells: one for each engine on each CPU level
      - engine, cpu: such as `fbgemm`, `avx2`
      - ended: how its process died, null where it came to its end; seconds: how long it took
      - refused_by_pytorch: how many cases PyTorch itself refused
      - faults: for each seeded fault that shows there whether it was caught
      - ops: by op
        - calls, compared, differences: calls made, integers (or float32 numbers) of those that are
          simulated, and how many of these differ
        - refused, reasons: calls that are not simulated, and how many for each reason
        - inputs: how many different inputs an element-wise op has (256 or 65536, else 0);
          exhaustive: how many calls met all of them
    """
    return {
        "qdbg": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "torch": next((each.torch for each in found if each.torch), None),
        "processor": next((each.processor for each in found if each.processor), None),
        "seed": seed,
        "budget": budget,
        "cases": list(cases),
        "cells": [
            {
                "engine": each.engine,
                "cpu": each.level,
                "ended": each.ended or None,
                "seconds": round(each.seconds, 1),
                "refused_by_pytorch": each.refused,
                "faults": dict(sorted(each.faults.items())),
                "ops": {op: asdict(count) for op, count in sorted(each.counts.items())},
            }
            for each in found
        ],
    }


def coverage_text(found: Sequence[Findings], seed: int) -> str:
    """The table for people: a row per op, a column per engine and level."""
    ops = sorted({op for each in found for op in each.counts})
    widest = max((len(op) for op in ops), default=0)
    head = [
        " " * widest + "".join(f"  {each.engine:>{WIDTH}}" for each in found),
        " " * widest + "".join(f"  {each.level:>{WIDTH}}" for each in found),
    ]
    rows = [
        f"{op:<{widest}}" + "".join(f"  {_cell(each.counts.get(op)):>{WIDTH}}" for each in found)
        for op in ops
    ]
    first = next((each for each in found if each.torch), None)
    where = f"torch {first.torch}, {first.processor}, seed {seed}" if first else f"seed {seed}"
    return "\n".join([*head, *rows, "", LEGEND, where, *_remarks(found)])


LEGEND = (
    f"{CLAIMED} integers compared, none differs   {EXHAUSTIVE} the same, and all bytes (of two "
    f"operands: all pairs) met with {PARAMETERS} parameters or more\n"
    f"{DIFFERENT} integers that differ   {REFUSED} captured, not simulated   {ABSENT} not drawn"
)


def _cell(count: Count | None) -> str:
    if count is None:
        return ABSENT
    if count.differences:
        return f"{DIFFERENT} {short(count.differences)}"
    partly = REFUSED if count.refused else ""
    mark = EXHAUSTIVE if exhausted(count) else CLAIMED
    return f"{partly}{mark} {short(count.compared)}" if count.compared else REFUSED


def exhausted(count: Count) -> bool:
    """Whether calls with several parameters each ran through all inputs of the op."""
    return count.inputs > 0 and count.exhaustive >= PARAMETERS


def reached(count: Count) -> bool:
    """Whether enough was compared to claim the op: a million integers, or all inputs."""
    return count.compared >= MILLION or exhausted(count)


def short(number: int) -> str:
    """`950`, `12k`, `3.4M`: rounded down, so that a million is at least a million."""
    if number >= MILLION:
        return f"{number // (MILLION // 10) / 10:.1f}M"
    return f"{number // THOUSAND}k" if number >= THOUSAND else str(number)


def _remarks(found: Sequence[Findings]) -> list[str]:
    seeded = sum(len(each.faults) for each in found)
    missed = [(each, name) for each in found for name in each.missed]
    lines = [f"{seeded - len(missed)} of {seeded} seeded faults were caught"]
    for each, name in missed:
        lines.append(f"{each.engine} {each.level}: the fault {name!r} was not caught")
    if missed:
        lines.append("so the run proves nothing about these rules; give it a larger --budget")
    claimed = [count for each in found for count in each.counts.values() if count.compared]
    enough = sum(reached(count) for count in claimed)
    lines.append(
        f"{enough} of {len(claimed)} cells have their million integers, or all inputs there are"
    )
    for each in found:
        if each.ended:
            lines.append(f"{each.engine} {each.level}: {each.ended}")
    return lines + reasons_of([each.counts for each in found])


def reasons_of(cells: Sequence[Mapping[str, Count]]) -> list[str]:
    """For each op why calls of it are not simulated, and how large a part of its calls that is."""
    calls: Counter[str] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for counts in cells:
        calls.update({op: count.calls for op, count in counts.items()})
        for op, count in counts.items():
            refused.update({(op, reason): many for reason, many in count.reasons.items()})
    return [
        f"{REFUSED} {op}: {reason} ({many / calls[op]:.2%} of its calls)"
        for (op, reason), many in sorted(refused.items())
    ]
