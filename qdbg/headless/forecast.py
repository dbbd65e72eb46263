"""Predictions as JSON data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from qdbg import __version__
from qdbg.core.program import Layer, Node
from qdbg.core.runs import Runs
from qdbg.fleet.bounds import EXACT, Bound
from qdbg.fleet.pairs import Cut, Key
from qdbg.fleet.predict import Forecast, Outputs
from qdbg.fleet.tally import Tally
from qdbg.fleet.verify import Verdict
from qdbg.sets import SampleSet

PAIRS = 100
"""How many pairs of a call are listed; all are counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Everything that `qdbg predict` found."""

    samples: SampleSet
    batch: int
    portions: Sequence[Runs]
    forecasts: Sequence[Forecast]
    verdicts: Sequence[Verdict] | None
    """None where nothing was verified."""

    @property
    def captured(self) -> str:
        """The machine that PyTorch ran on."""
        environment = self.portions[0].first.environment
        return f"{environment.engine}-{environment.cpu}"

    @property
    def unperturbed(self) -> bool:
        """Whether observing changed no output."""
        return all(runs.first.environment.unperturbed for runs in self.portions)

    @property
    def nodes(self) -> dict[str, Node]:
        """All calls by name."""
        return {node.name: node for runs in self.portions for node in runs.nodes}

    def layer(self, node: Node) -> Layer | None:
        """The layer that made the call."""
        return self.portions[0].first.program.layers.get(node.layer)

    @property
    def status(self) -> int:
        """The exit status: 1 something changes or was predicted wrongly, 3 something is not
        simulated, else 0."""
        wrong = any(not verdict.holds for verdict in self.verdicts or ())
        found = {forecast.status for forecast in self.forecasts} | ({1} if wrong else set())
        return 1 if 1 in found else max(found, default=0)


def report_data(report: Report) -> dict[str, object]:
    """The report as JSON data."""
    first, samples = report.portions[0].first, report.samples
    return {
        "qdbg": __version__,
        "status": report.status,
        "model": {"path": first.model, "sha256": first.sha256},
        "capture": asdict(first.environment) | {"unperturbed": report.unperturbed},
        "samples": {
            "name": samples.name,
            "count": len(samples),
            "shape": list(samples.values.shape[1:]),
            "labels": samples.labels is not None,
            "batch": report.batch,
        },
        "output_is_recorded": all(runs.links.whole for runs in report.portions),
        "machines": [forecast_data(forecast) for forecast in report.forecasts],
        "verified": None
        if report.verdicts is None
        else [_verdict_data(verdict) for verdict in report.verdicts],
    }


def forecast_data(forecast: Forecast) -> dict[str, Any]:
    """One machine as JSON data."""
    return {
        "machine": forecast.machine,
        "status": forecast.status,
        "refused": forecast.refused or None,
        "differences": forecast.differences,
        "values": sum(each.elements for each in forecast.tallies.values()),
        "not_simulated": forecast.unknown,
        "outputs": _outputs_data(forecast.outputs),
        "calls": [
            {"name": name}
            | tally_data(each)
            | _pairs_data(forecast.pairs.get(name), forecast.bounds.get(name))
            for name, each in forecast.tallies.items()
        ],
    }


def same_outcome(forecast: Forecast) -> str:
    """A text that two machines share where everything that is said of them is the same."""
    data = forecast_data(forecast)
    for call in data["calls"]:
        if call["bound"] and call["bound"]["status"] == EXACT:
            call["bound"]["reason"] = ""  # every engine has its own words for it
    return json.dumps(data | {"machine": ""}, sort_keys=True)


def tally_data(tally: Tally) -> dict[str, object]:
    """One call under one arithmetic."""
    return {
        "status": tally.status,
        "values": tally.elements,
        "differences": tally.differences,
        "samples": tally.samples,
        "max_delta": tally.max_delta,
        "first_sample": tally.first,
        "by_run": tally.by_run,
        "histogram": {str(n): tally.histogram[n] for n in sorted(tally.histogram)},
        "not_simulated": tally.unknown,
        "not_simulated_first": tally.unknown_first,
        "reasons": dict(sorted(tally.reasons.items())),
    }


def _outputs_data(outputs: Outputs) -> dict[str, object]:
    known = outputs.classified
    data = {k: v for k, v in asdict(outputs).items() if k not in {"flips", "classified"}}
    flips = [asdict(flip) for flip in outputs.flips] if known else None
    return data | {"classes_changed": len(outputs.flips) if known else None, "flips": flips}


def _pairs_data(pairs: Mapping[Key, Cut] | None, bound: Bound | None) -> dict[str, object]:
    if pairs is None or bound is None:
        return {"pairs": None, "bound": None}
    listed = [
        {"channel": channel, "pair": number} | asdict(cut)
        for (channel, number), cut in ranked(pairs)[:PAIRS]
    ]
    found = {k: v for k, v in asdict(bound).items() if k != "call"}
    return {"pairs": listed, "pairs_found": len(pairs), "bound": found}


def ranked(pairs: Mapping[Key, Cut]) -> list[tuple[Key, Cut]]:
    """The most frequent pairs first, of those the ones that lose most."""
    return sorted(pairs.items(), key=lambda each: (-each[1].times, -each[1].excess, each[0]))


def _verdict_data(verdict: Verdict) -> dict[str, object]:
    return {
        "machine": verdict.machine,
        "refused": verdict.refused or None,
        "values": verdict.compared,
        "differences": verdict.differences,
        "not_predicted": verdict.unknown,
        "samples": verdict.samples,
        "first": None
        if verdict.first is None
        else {"call": verdict.first[0], "sample": verdict.first[1]},
        "other_calls": verdict.foreign,
    }
