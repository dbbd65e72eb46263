"""The command `qdbg predict`: what a model gives on other machines, over a set of samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from qdbg.capture import Request, capture_many, importing_torch_once, machine_level
from qdbg.core.runs import Runs
from qdbg.errors import QdbgError
from qdbg.fleet.feed import Machine, Result
from qdbg.fleet.predict import Forecast, Predictor
from qdbg.fleet.verify import Predicted, Verdict
from qdbg.headless.fleet import (
    command_for,
    machines_for,
    open_samples,
    workers_for,
)
from qdbg.headless.forecast import Report, report_data
from qdbg.headless.forecast_text import report_text
from qdbg.headless.output import Progress, json_text, write
from qdbg.headless.recording import CHILDREN, recorded
from qdbg.names import LEVELS

if TYPE_CHECKING:
    import argparse


def predict(options: argparse.Namespace) -> int:
    """Print the prediction; the exit status says whether anything changes."""
    with importing_torch_once():
        return _predicted(options)


def _predicted(options: argparse.Namespace) -> int:
    samples, request = open_samples(options)
    progress = Progress()
    try:
        portions = recorded(request, progress, options.jobs)
        named = machines_for(request, portions, progress)
        progress("simulating the other machines")
        predictor = Predictor([m for _, m in named if isinstance(m, Machine)], samples.labels)
        parts = predictor.take_all(
            portions,
            workers_for(options),
            lambda done, total: progress.part("simulating the other machines", done, total),
            options.verify,
        )
        verdicts = None
        if options.verify:
            verdicts = _verified(request, portions, predictor, parts, progress)
    finally:
        progress.done()
    made = {f.machine: f for f in predictor.forecasts}
    forecasts = [made.get(name) or Forecast(name, refused=str(m)) for name, m in named]
    report = Report(samples, request.batch, portions, forecasts, verdicts)
    if options.json:
        write(json_text(report_data(report)))
    else:
        write(report_text(report, lambda sample, name: _opens(options, sample, name)))
    return report.status


def _opens(options: argparse.Namespace, sample: int, machine: str) -> str:
    """The captured run under the machine's arithmetic: it needs no other CPU."""
    ran = [word for flag in ("engine", "cpu") for word in _flag(options, flag)]
    return command_for(options, sample, *ran, "--arith", machine, "--feed", "simulated")


def _flag(options: argparse.Namespace, name: str) -> list[str]:
    value = getattr(options, name)
    return [f"--{name}", value] if value else []


def _verified(
    request: Request,
    portions: Sequence[Runs],
    predictor: Predictor,
    parts: Sequence[tuple[Runs, list[list[Result]]]],
    progress: Progress,
) -> list[Verdict]:
    """Run PyTorch on each engine and level that this machine reaches, and compare everything."""
    here = LEVELS.index(machine_level())
    ran = portions[0].first.environment
    tasks: list[tuple[Machine, Predicted]] = []
    for place, machine in enumerate(predictor.machines):
        if LEVELS.index(machine.arithmetic.level) <= here:
            own = [(runs, [call[place] for call in found]) for runs, found in parts]
            tasks.append((machine, Predicted(own)))

    def run(task: tuple[Machine, Predicted]) -> Verdict:
        machine, predicted = task
        progress(f"running PyTorch as {machine.name}")
        engine, cpu = machine.arithmetic.engine, machine.arithmetic.level
        if (engine, cpu) == (ran.engine, ran.cpu):
            return _checked(machine, predicted, portions)
        forced = replace(request, engine=engine, cpu=cpu)
        return _checked(machine, predicted, capture_many(forced, lambda _: None, lambda: False))

    with ThreadPoolExecutor(CHILDREN) as pool:
        return list(pool.map(run, tasks))


def _checked(machine: Machine, predicted: Predicted, runs: Iterable[Runs]) -> Verdict:
    verdict = Verdict(machine.name)
    try:
        for each in runs:
            predicted.check(each, verdict)
    except QdbgError as error:
        verdict.refused = error.found
        return verdict
    predicted.finish(verdict)
    return verdict
