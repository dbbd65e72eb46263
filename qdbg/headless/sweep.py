"""The command `qdbg sweep`: many samples, and what differs per call and arithmetic."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from qdbg import __version__
from qdbg.capture.request import sample_in
from qdbg.core.runs import Runs
from qdbg.fleet import sweep as fleet
from qdbg.fleet.tally import Tally
from qdbg.headless.fleet import command_for, open_samples, workers_for
from qdbg.headless.forecast import tally_data
from qdbg.headless.forecast_text import alone, first_words, reasons
from qdbg.headless.output import json_text, write
from qdbg.headless.recording import recorded
from qdbg.headless.show import MARKS, aligned
from qdbg.names import ARITHMETIC_NAMES
from qdbg.sets import SampleSet

if TYPE_CHECKING:
    import argparse

NEAR = 3
"""The histogram's text has a column for each |Δ| up to this one, and one for the rest."""
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """Everything that `qdbg sweep` found."""

    samples: SampleSet
    batch: int
    feed: str
    portions: Sequence[Runs]
    counts: dict[str, dict[str, Tally]]
    """By arithmetic and call."""

    @property
    def status(self) -> int:
        """The exit status: 1 differences, 3 something is not simulated, else 0."""
        tallies = [each for own in self.counts.values() for each in own.values()]
        if any(each.differences for each in tallies):
            return 1
        return 3 if any(each.unknown for each in tallies) else 0


def sweep(options: argparse.Namespace) -> int:
    """Print the counts; the exit status says whether anything differs."""
    samples, request = open_samples(options)
    with _bar(len(samples)) as (captured, simulated):
        portions = recorded(request, captured, options.jobs)
        names = _arithmetics(options.arith or ["auto"], portions[0])
        feed = options.feed or "captured"
        found = fleet.sweep(portions, names, feed, workers_for(options), simulated)
    counts = dict(zip(names, found, strict=True))
    swept = Swept(samples, request.batch, feed, portions, counts)
    if options.json:
        write(json_text(sweep_data(swept)))
    else:
        ran = [
            f"--{flag} {value}" for flag in ("engine", "cpu") if (value := getattr(options, flag))
        ]
        words = " ".join(ran).split()
        write(
            sweep_text(
                swept,
                lambda sample, name: command_for(
                    options, sample, *words, "--arith", name, "--feed", feed
                ),
            )
        )
    return swept.status


def _arithmetics(wanted: Sequence[str], runs: Runs) -> list[str]:
    """The names, `auto` being that of the captured engine and level; each once."""
    environment = runs.first.environment
    auto = f"{environment.engine}-{environment.cpu}"
    meaning = {"auto": [auto], "all": list(ARITHMETIC_NAMES)}
    return list(dict.fromkeys(n for name in wanted for n in meaning.get(name, [name])))


@contextlib.contextmanager
def _bar(total: int) -> Iterator[tuple[Callable[[str], None], Tell]]:
    """What hears of PyTorch's progress and of the simulation's: a bar on a terminal."""
    from rich.console import Console  # noqa: PLC0415 - drawn only here
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    silent = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=silent) as bar:
        runs = bar.add_task("starting PyTorch", total=total)
        simulation = bar.add_task("simulating", total=total, visible=False)

        def captured(words: str) -> None:
            bar.update(runs, description=words, completed=sample_in(words))

        def simulated(count: int) -> None:
            bar.update(runs, completed=total)
            bar.update(simulation, advance=count, visible=True)

        yield captured, simulated


# ----------------------------------------------------------------------------------- text


def sweep_text(swept: Swept, opens: Callable[[int, str], str]) -> str:
    """Header, a table for each arithmetic, what is not simulated, and how to open the first."""
    parts = [_header(swept)]
    for name, counts in swept.counts.items():
        parts += [_table(swept, name, counts), _notes(swept, name, opens)]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _header(swept: Swept) -> list[str]:
    first, samples = swept.portions[0].first, swept.samples
    found = first.environment
    sure = all(runs.first.environment.unperturbed for runs in swept.portions)
    shape = "×".join(str(n) for n in samples.values.shape[1:])
    lots = "" if swept.batch == 1 else f", run {swept.batch} at a time"
    return [
        f"model      {first.model}  (SHA-256 {first.sha256[:12]}…)",
        f"samples    {samples.name}: {len(samples)} of {shape}{lots}: {samples.note}",
        f"captured   {found.engine}/{found.cpu} ({found.kernel}), PyTorch {found.torch}, "
        f"observing changed {'nothing' if sure else 'a result: trust neither'}",
        f"simulated  each call fed the {swept.feed} integers",
    ]


def _table(swept: Swept, name: str, counts: dict[str, Tally]) -> list[str]:
    near = [f"off by {n}" for n in range(1, NEAR + 1)]
    titles = ("", "call", "differ", "samples", "max |Δ|", "first", *near, "more")
    rows = [titles]
    for call, tally in counts.items():
        first = "" if tally.first is None else first_words(tally, swept.samples.name)
        rows.append(
            (
                MARKS[tally.status],
                call,
                f"{tally.differences} of {tally.elements}" if tally.elements else "not simulated",
                f"{'≤ ' if tally.by_run else ''}{tally.samples}" if tally.differences else "",
                f"{tally.max_delta:.6g}" if tally.differences else "",
                first,
                *_histogram(tally),
            )
        )
    return [f"{name}", *aligned(rows, right={2, 3, 4, *range(6, 7 + NEAR)})]


def _histogram(tally: Tally) -> list[str]:
    """How many values are off by 1, by 2 …, and by more; empty for float32 results."""
    if not tally.histogram:
        return [""] * (NEAR + 1)
    near = [tally.histogram[n] + tally.histogram[-n] for n in range(1, NEAR + 1)]
    return [str(n) for n in (*near, tally.histogram.total() - sum(near))]


def _notes(swept: Swept, name: str, opens: Callable[[int, str], str]) -> list[str]:
    counts = swept.counts[name]
    lines = reasons(counts)
    first = min((t.first for t in counts.values() if t.first is not None), default=None)
    if first is not None:
        lines.append(f"open the first one{alone(swept.batch)}: {opens(first, name)}")
    return lines


# ----------------------------------------------------------------------------------- JSON


def sweep_data(swept: Swept) -> dict[str, object]:
    """The counts as JSON data; nothing in it depends on the number of workers."""
    first, samples = swept.portions[0].first, swept.samples
    sure = all(runs.first.environment.unperturbed for runs in swept.portions)
    return {
        "qdbg": __version__,
        "status": swept.status,
        "model": {"path": first.model, "sha256": first.sha256},
        "capture": asdict(first.environment) | {"unperturbed": sure},
        "samples": {
            "name": samples.name,
            "count": len(samples),
            "shape": list(samples.values.shape[1:]),
            "batch": swept.batch,
        },
        "feed": swept.feed,
        "arithmetics": [
            {
                "arithmetic": name,
                "differences": sum(tally.differences for tally in counts.values()),
                "calls": [{"name": call} | tally_data(tally) for call, tally in counts.items()],
            }
            for name, counts in swept.counts.items()
        ],
    }
