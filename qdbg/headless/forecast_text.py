"""Predictions as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from qdbg.core.words import counted
from qdbg.engine.unseen import FOLLOWS
from qdbg.fleet.bounds import EXACT
from qdbg.fleet.predict import Forecast
from qdbg.fleet.tally import Tally
from qdbg.headless.forecast import Report, same_outcome
from qdbg.headless.pairs_text import able, bound_lines, pair_lines
from qdbg.headless.show import MARKS, aligned

SHOWN = 3
"""Samples of another class, reasons, calls: so many are named, the others counted."""
Opens = Callable[[int, str], str]
"""The command that opens a sample under an arithmetic."""


def report_text(report: Report, opens: Opens) -> str:
    """Header, a line per machine, what changes where, whether pairs can saturate, and whether
    PyTorch agrees."""
    groups = _groups(report.forecasts)
    parts = [_header(report), _machines(report, groups)]
    parts += [_details(report, group, opens) for group in groups]
    parts += [_verified(report), _notes(report)]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _header(report: Report) -> list[str]:
    first, samples = report.portions[0].first, report.samples
    found = first.environment
    shape = "×".join(str(n) for n in samples.values.shape[1:])
    lots = "" if report.batch == 1 else f", run {report.batch} at a time"
    return [
        f"model      {first.model}  (SHA-256 {first.sha256[:12]}…)",
        f"samples    {samples.name}: {len(samples)} of {shape}{lots}: {samples.note}",
        f"captured   {found.engine}/{found.cpu} ({found.kernel}), PyTorch {found.torch}, "
        f"processor {found.processor}",
        "predicted  by numpy alone; each call fed the simulated integers",
    ]


def _groups(forecasts: Sequence[Forecast]) -> list[list[Forecast]]:
    groups: dict[str, list[Forecast]] = {}
    for forecast in forecasts:
        groups.setdefault(same_outcome(forecast), []).append(forecast)
    return list(groups.values())


def _names(report: Report, group: Sequence[Forecast]) -> str:
    captured = report.captured
    return ", ".join(
        f"{f.machine} (captured)" if f.machine == captured else f.machine for f in group
    )


def _machines(report: Report, groups: Sequence[Sequence[Forecast]]) -> list[str]:
    labelled = report.samples.labels is not None
    rows = [("", "machine", "values", "outputs", "classes", "right" if labelled else "", "pairs")]
    for group in groups:
        forecast, out = group[0], group[0].outputs
        names = _names(report, group)
        if forecast.refused:
            rows.append(("○", names, forecast.refused, "", "", "", ""))
            continue
        values = sum(each.elements for each in forecast.tallies.values())
        mark = {0: "✓", 1: "≠", 3: "○"}[forecast.status]
        rows.append(
            (
                mark,
                names,
                f"{forecast.differences} of {values} change",
                f"{out.differences} of {out.values} change" if out.samples else "not predicted",
                f"{len(out.flips)} of {out.samples} change"
                if out.classified and out.samples
                else "",
                f"{out.right} of {out.labelled}" if out.labelled else "",
                able(forecast),
            )
        )
    return aligned(rows)


# -------------------------------------------------------------------- what changes where


def _details(report: Report, group: Sequence[Forecast], opens: Opens) -> list[str]:
    forecast = group[0]
    lines = [line for name in forecast.tallies for line in _call(report, forecast, name)]
    lines += [*reasons(forecast.tallies), *_classes(report, forecast, opens)]
    first = min((t.first for t in forecast.tallies.values() if t.first is not None), default=None)
    if first is not None and not forecast.outputs.flips:
        lines.append(f"open the first one{alone(report.batch)}: {opens(first, forecast.machine)}")
    return [_names(report, group), *(f"  {line}" for line in lines)] if lines else []


def _call(report: Report, forecast: Forecast, name: str) -> list[str]:
    tally, bound = forecast.tallies[name], forecast.bounds.get(name)
    node = report.nodes[name]
    pairs = forecast.pairs.get(name, {})
    told = bound is not None and bound.status != EXACT
    lines = []
    if tally.differences:
        lines.append(f"{MARKS['differs']} {name}: {tally_words(tally, report.samples.name)}")
    elif told and tally.elements:
        lines.append(f"{MARKS[tally.status]} {name}: no value changes")
    elif told:
        lines.append(f"{MARKS[tally.status]} {name}: not predicted")
    if told and bound is not None:
        lines += [
            f"    {line}"
            for line in (*pair_lines(report, node, tally, pairs), *bound_lines(report, node, bound))
        ]
    return lines


def alone(batch: int) -> str:
    """What to say of opening one sample of a run of several: what a layer gives for it can depend
    on the others, as a range that follows from its operand does."""
    return "" if batch == 1 else ", which PyTorch then runs alone"


def tally_words(tally: Tally, samples: str) -> str:
    """`829 of 2400 differ in 150 samples, max |Δ| 83, first iris:0`."""
    most = "up to " if tally.by_run else ""
    return (
        f"{tally.differences} of {tally.elements} differ in {most}"
        f"{counted(tally.samples, 'sample')}, max |Δ| {tally.max_delta:.6g},"
        f" first {first_words(tally, samples)}"
    )


def first_words(tally: Tally, samples: str) -> str:
    """The first sample that differs, or the first one of its run where it is not known which."""
    return f"{samples}:{tally.first}{' or after' if tally.by_run else ''}"


def reasons(tallies: Mapping[str, Tally]) -> list[str]:
    """Which calls are not simulated and why; of those that follow such a call only how many."""
    mark, lines, after = MARKS["not simulated"], [], 0
    for name, tally in tallies.items():
        own = [
            why for why in sorted(tally.reasons) if not why.startswith(FOLLOWS.partition("{")[0])
        ]
        after += bool(tally.reasons) and not own
        lines += [
            f"{mark} {name} is not simulated in {counted(tally.reasons[why], 'run')}: {why}"
            for why in own[:SHOWN]
        ]
        hidden = len(own) - SHOWN
        lines += [f"  … and for {counted(hidden, 'more reason')}"] if hidden > 0 else []
    follow = "follows and is" if after == 1 else "follow and are"
    return (
        [*lines, f"{mark} {counted(after, 'call')} {follow} not simulated either"]
        if after
        else lines
    )


def _classes(report: Report, forecast: Forecast, opens: Opens) -> list[str]:
    flips = forecast.outputs.flips
    lines = [
        f"{report.samples.name}:{flip.sample} goes from class {flip.captured} to {flip.predicted}: "
        f"{opens(flip.sample, forecast.machine)}"
        for flip in flips[:SHOWN]
    ]
    hidden = len(flips) - SHOWN
    return [*lines, f"… and {counted(hidden, 'sample')} more change class"] if hidden > 0 else lines


# --------------------------------------------------------------------------- verification


def _verified(report: Report) -> list[str]:
    if report.verdicts is None:
        return []
    if not report.verdicts:
        return ["nothing to verify: no machine is predicted that PyTorch could run as here"]
    rows = []
    for verdict in report.verdicts:
        if verdict.refused:
            rows.append(("○", f"{verdict.machine}:", f"not run here: {verdict.refused}"))
            continue
        words = f"verified: {verdict.differences} of {verdict.compared} values differ"
        words += f" from PyTorch's in {counted(verdict.samples, 'sample')}"
        if verdict.unknown:
            words += f"; {verdict.unknown} were not predicted"
        if verdict.first is not None:
            call, sample = verdict.first
            words += f"; the first in {call}, sample {sample}"
        if verdict.foreign:
            words += f"; PyTorch made other calls: {', '.join(verdict.foreign[:SHOWN])}"
        mark = "○" if verdict.holds and not verdict.compared else "✓≠"[not verdict.holds]
        rows.append((mark, f"{verdict.machine}:", words))
    return ["PyTorch itself, forced to each level on this machine", *aligned(rows)]


def _notes(report: Report) -> list[str]:
    lines = []
    if not all(runs.links.whole for runs in report.portions):
        last = report.portions[0].nodes[-1].name
        lines.append(
            "The model's result is made by operations that qdbg does not record; as its output the "
            f"values of {last} are counted."
        )
    if not report.unperturbed:
        lines.append("PyTorch computed something else when it was not observed: trust neither.")
    return lines
