"""What a replay found, in three forms: plain text, JSON, JUnit XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qdbg import __version__
from qdbg.core.replacing import write_whole
from qdbg.core.words import counted
from qdbg.debugger import Executed
from qdbg.errors import QdbgError
from qdbg.headless.differences import CallDifferences, element_lines
from qdbg.headless.output import clean
from qdbg.headless.replay import Failure, Report, StopDifference, most_severe
from qdbg.headless.scripted import ran_data, ran_text

SHOWN_STOPS = 5
"""How many changed stops the text names; the others are counted."""


def text(report: Report | Failure) -> str:
    """A line that says what was compared, then a line for each thing that is not the same."""
    if isinstance(report, Failure):
        return report.message
    compared = f"{counted(report.values, 'value')} of {counted(report.calls, 'call')}"
    stops = counted(report.stops, "stop")
    if not report.status:
        head = [f"{report.path}: {compared}, {stops}: all the same"]
    else:
        head = [
            f"{report.path}: {compared} under {report.arithmetic}: "
            f"{_differ(report.differences)}; {stops}: {_differ(len(report.stop_differences))}"
        ]
    then = [ran_text(report.ran)] if report.ran else []
    watched = [report.watched] if report.watched else []
    return "\n".join([*head, *(f"  {line}" for line in _details(report)), *then, *watched])


def _details(report: Report) -> list[str]:
    lines = [line for call in report.differing for line in _call(call, "captured", "simulated")]
    lines += [f"{name}: not simulated: {reason}" for name, reason in report.not_simulated]
    for stop in report.stop_differences[:SHOWN_STOPS]:
        lines += _stop(stop)
    hidden = len(report.stop_differences) - SHOWN_STOPS
    lines += [f"… and {counted(hidden, 'more stop')}"] if hidden > 0 else []
    lines += report.state
    return lines + _recapture(report)


def _call(call: CallDifferences, first: str, second: str) -> list[str]:
    return [
        f"{call.name}: {counted(call.count, 'difference')}",
        *(f"  {line}" for line in element_lines(call, first, second)),
    ]


def _stop(stop: StopDifference) -> list[str]:
    now = f"it does not run: {stop.problem}" if stop.now is None else _where(stop.now)
    return [
        f"command {stop.number}, {stop.command!r}:",
        f"  saved: {_where(stop.recorded)}",
        f"  now:   {now}",
    ]


def _where(at: Executed) -> str:
    return f"{at.stop}[{at.element}], {at.reason}"


def _recapture(report: Report) -> list[str]:
    again = report.recapture
    if again is None:
        return []
    environment = report.recording.environment
    ran = f"PyTorch {again.torch} run again on {environment.engine}/{environment.cpu}"
    if not again.differs:
        return [f"{ran}: the same values"]
    before = f"not what PyTorch {environment.torch} computed when the session was recorded"
    lines = [f"{ran}: {before}", *(f"  {problem}" for problem in again.problems)]
    for call in again.differing:
        lines += [f"  {line}" for line in _call(call, "recorded", "now")]
    return lines


def _differ(number: int) -> str:
    return f"{number} differ" if number else "the same"


# ----------------------------------------------------------------------------------- JSON


def json_data(reports: Sequence[Report | Failure]) -> dict[str, object]:
    """All sessions as one JSON object."""
    return {
        "qdbg": __version__,
        "status": most_severe([report.status for report in reports]),
        "sessions": [_json(report) for report in reports],
    }


def _json(report: Report | Failure) -> dict[str, object]:
    head: dict[str, object] = {"path": str(report.path), "status": report.status}
    if isinstance(report, Failure):
        return head | {"reason": report.message}
    recording = report.recording
    head |= {"run": ran_data(report.ran)} if report.ran else {}
    return head | {
        "reason": None,
        "model": {"path": recording.model, "sha256": recording.sha256},
        "sample": recording.sample,
        "capture": asdict(recording.environment),
        "arithmetic": report.arithmetic,
        "feed": report.feed,
        "calls": report.calls,
        "values": report.values,
        "differences": report.differences,
        "differing": [_json_call(call, "captured", "simulated") for call in report.differing],
        "not_simulated": [{"name": n, "reason": reason} for n, reason in report.not_simulated],
        "stops": report.stops,
        "stop_differences": [asdict(stop) for stop in report.stop_differences],
        "state": list(report.state),
        "recapture": _json_recapture(report),
    }


def _json_call(call: CallDifferences, first: str, second: str) -> dict[str, Any]:
    elements = [
        {"index": list(e.index), first: e.captured, second: e.simulated, "delta": e.delta}
        for e in call.elements
    ]
    return {"name": call.name, "differences": call.count, "elements": elements}


def _json_recapture(report: Report) -> dict[str, object] | None:
    again = report.recapture
    if again is None:
        return None
    return {
        "torch": again.torch,
        "processor": again.processor,
        "differs": again.differs,
        "problems": list(again.problems),
        "differing": [_json_call(call, "recorded", "now") for call in again.differing],
    }


# ---------------------------------------------------------------------------------- JUnit


def write_junit(reports: Sequence[Report | Failure], path: Path) -> None:
    """One test case per session. Raises QdbgError where the file cannot be written."""
    suite = ET.Element("testsuite", name="qdbg replay", tests=str(len(reports)))
    kinds = {2: "error", 1: "failure", 3: "skipped"}
    for status, attribute in ((1, "failures"), (2, "errors"), (3, "skipped")):
        suite.set(attribute, str(sum(r.status == status for r in reports)))
    for report in reports:
        case = ET.SubElement(suite, "testcase", classname="qdbg", name=clean(str(report.path)))
        if report.status:
            words = clean(text(report))
            found = ET.SubElement(case, kinds[report.status], message=words.partition("\n")[0])
            found.text = words
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    try:
        write_whole(path, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
    except OSError as error:
        raise QdbgError(f"{path} cannot be written: {error.strerror or error}") from error
