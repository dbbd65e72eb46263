"""Child only: many samples in one process, each recorded as if it ran alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from qdbg.capture.chain import Chain, Unfit
from qdbg.capture.indices import Giving
from qdbg.capture.linking import RunTape
from qdbg.capture.request import Request, running
from qdbg.capture.run import (
    Prepared,
    Progress,
    choose_kernels,
    environment_of,
    prepare,
    recording_of,
    watch,
)
from qdbg.core.program import Model, Recording
from qdbg.core.quantity import readonly
from qdbg.core.runs import Links, Runs, same_calls, stacked
from qdbg.errors import CaptureError
from qdbg.samples import Sample

PORTION = 2**26
"""Bytes of values after which the runs so far are sent."""
MOST = 2**32
"""Bytes of values that all runs together may have: the parent keeps them."""


class Portion:
    """Runs with the same calls that were not sent yet."""

    def __init__(self) -> None:
        self.size = 0
        self._recordings: list[Recording] = []
        self._samples: list[int] = []
        self._links: list[Links] = []

    def takes(self, recording: Recording, links: Links) -> bool:
        """Whether the run made the same calls as those before, and returned the same ones."""
        if not self._recordings:
            return True
        ours = self._links[0]
        same = (ours.outputs, ours.whole) == (links.outputs, links.whole)
        return same and same_calls(self._recordings[0], recording)

    def add(self, recording: Recording, start: int, links: Links) -> None:
        """One more run; `start` is the number of its first sample."""
        self._recordings.append(recording)
        self._samples.append(start)
        self._links.append(links)
        self.size += size_of(recording)

    def flushed(self) -> Iterator[Runs]:
        """The runs, if there are any."""
        if self._recordings:
            yield stacked(self._recordings, self._samples, _together(self._links))


def _together(links: list[Links]) -> Links:
    decided = [each.decided for each in links if each.decided is not None]
    return Links(
        derived=frozenset(n for each in links for n in each.derived),
        computed=frozenset(n for each in links for n in each.computed),
        decided=min(decided, default=None),
        outputs=links[0].outputs,
        whole=links[0].whole,
    )


def size_of(recording: Recording) -> int:
    """Bytes of the run's values."""
    return sum(value.nbytes for value in recording.values)


def record_many(request: Request, model: Model, forward: Any, progress: Progress) -> Iterator[Runs]:
    """Run after run, in portions. Raises CaptureError, with the sample that PyTorch refused."""
    engine, kernel = choose_kernels(request, progress)
    progress("rebuilding the layers")
    recorder = Recorder(request, model, prepare(model, forward), (engine, kernel))
    portion, total = Portion(), len(request.sample.values)
    first, last = request.share or (0, total)
    for start in range(first, last, request.batch):
        progress(running(start + 1, total))
        with torch.no_grad():
            recording, links = recorder.record(lot(request.sample, start, request.batch))
        if start == first:
            _refuse_too_much(size_of(recording) * -(-total // request.batch))
        if portion.size > PORTION or not portion.takes(recording, links):
            yield from portion.flushed()
            portion = Portion()
        portion.add(recording, start, links)
    yield from portion.flushed()


class Recorder:
    """Records one sample after the other: on tape, or by the calls that a tape saw."""

    def __init__(
        self, request: Request, model: Model, prepared: Prepared, kernels: tuple[str, str]
    ) -> None:
        self._request, self._model, self._kernels = request, model, kernels
        self._backend, self._modules, self._run, self._line_of = prepared
        self._chain: Chain | None = None
        self._links: Links | None = None
        self._chained = self._line_of is None
        """Whether the calls may do: what a trusted source decides by, nobody knows."""
        self._giving = Giving()

    def record(self, sample: Sample) -> tuple[Recording, Links]:
        """One run, as if it were the only one. Raises CaptureError."""
        return self._giving(self._record, sample)

    def _record(self, sample: Sample) -> tuple[Recording, Links]:
        if self._chain is not None and self._links is not None:
            try:
                return self._chain.recording(self._run, sample), self._links
            except Unfit:
                self._chain, self._chained = None, False
        fed = torch.from_numpy(sample.values.copy())
        kept: list[Any] = []
        tape = RunTape(self._modules, fed, _silent, self._line_of, self._model.layers)
        same = watch(_keeping(self._run, tape, kept), self._backend, tape, fed, _silent)
        environment = environment_of(self._request, *self._kernels, same)
        recording, links = recording_of(tape, self._model, sample, environment), tape.links(kept)
        if same and self._chained:
            self._chained = False  # one trial is enough
            with contextlib.suppress(Unfit):
                self._chain, self._links = Chain(tape, fed, kept, recording), links
        return recording, links


def lot(samples: Sample, start: int, size: int) -> Sample:
    """Some of the samples under the name of the first one."""
    return Sample(
        f"{samples.name}:{start}", readonly(samples.values[start : start + size]), samples.note
    )


def _silent(text: str) -> None:
    del text


def _keeping(run: Any, tape: RunTape, kept: list[Any]) -> Any:
    """The run, which also leaves what it returned while the tape was on."""

    def runs(fed: torch.Tensor) -> Any:
        result = run(fed)
        if tape.nodes and not kept:
            kept.append(result)
        return result

    return runs


def _refuse_too_much(size: int) -> None:
    if size > MOST:
        raise CaptureError(
            f"all runs together have {size / 2**30:.1f} GiB of values",
            expected=f"at most {MOST / 2**30:.0f} GiB",
            remedy="take fewer samples",
        )
