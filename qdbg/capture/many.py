"""Child only: many samples in one process, each recorded as if it ran alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from qdbg.capture.following import FollowingTape, tensors_in
from qdbg.capture.request import Request
from qdbg.capture.run import (
    Progress,
    choose_kernels,
    environment_of,
    prepare,
    recording_of,
    watch,
)
from qdbg.core.program import FIRST_CONSTANT, INPUT, Model, Recording
from qdbg.core.quantity import readonly
from qdbg.core.runs import Links, Runs, same_calls, stacked
from qdbg.errors import CaptureError
from qdbg.samples import Sample

PORTION = 2**26
"""Bytes of values after which the runs so far are sent."""
MOST = 2**32
"""Bytes of values that all runs together may have: the parent keeps them."""
EXACT = frozenset(
    (
        *("abs", "add", "clamp", "div", "maximum", "minimum", "mul", "neg", "relu", "sub"),
        *("threshold", "where", "masked_fill", "full_like", "ones_like", "zeros_like", "fill"),
        *("alias", "as_strided", "cat", "chunk", "clone", "constant_pad_nd", "contiguous", "copy"),
        *("detach", "dropout", "expand", "flatten", "flip", "index", "index_select", "lift_fresh"),
        *("narrow", "permute", "repeat", "reshape", "roll", "select", "slice", "split"),
        *("split_with_sizes", "squeeze", "stack", "t", "to", "_to_copy", "transpose", "unbind"),
        *("unfold", "unsqueeze", "view", "_unsafe_view"),
    )
)
"""aten's operations that give the same float32 numbers on every CPU: moves, and those that IEEE 754
rounds once for each element."""


class RunTape(FollowingTape):  # type: ignore[no-untyped-call]  # as Tape itself
    """A tape that also knows which numbers another CPU would compute otherwise."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.computed: set[int] = set()
        """As `Links.computed`."""
        self._computed: dict[int, torch.Tensor] = {}

    def follow(self, func: Any, given: list[torch.Tensor], result: Any) -> None:
        """Also which of them another CPU would make otherwise."""
        super().follow(func, given, result)
        if any(id(t) in self._computed for t in given) or _rounds(func.name(), given):
            self._computed |= {id(t): t for t in self.unrecorded(func, result)}

    def composed(self, tensor: torch.Tensor, origins: list[torch.Tensor], calls: range) -> None:
        """Gates of another CPU may make other numbers."""
        super().composed(tensor, origins, calls)
        if calls or any(id(t) in self._computed for t in origins):
            self._computed[id(tensor)] = tensor

    def _source(self, tensor: torch.Tensor) -> int:
        source = super()._source(tensor)
        if source <= FIRST_CONSTANT and id(tensor) in self._computed:
            self.computed.add(FIRST_CONSTANT - source)
        return source


def _rounds(name: str, given: list[torch.Tensor]) -> bool:
    """Whether an operation on float32 numbers may give others on another CPU."""
    floating = any(t.is_floating_point() and not t.is_quantized for t in given)
    base = name.partition("::")[2].partition(".")[0].rstrip("_")
    return floating and base not in EXACT


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
    backend, modules, run, line_of = prepare(model, forward)
    portion, total = Portion(), len(request.sample.values)
    for start in range(0, total, request.batch):
        progress(f"running sample {start + 1} of {total}")
        sample = lot(request.sample, start, request.batch)
        fed = torch.from_numpy(sample.values.copy())
        kept: list[Any] = []
        with torch.no_grad():
            tape = RunTape(modules, fed, _silent, line_of, model.layers)
            same = watch(_keeping(run, tape, kept), backend, tape, fed, _silent)
        recording = recording_of(tape, model, sample, environment_of(request, engine, kernel, same))
        if start == 0:
            _refuse_too_much(size_of(recording) * -(-total // request.batch))
        links = _links(tape, kept)
        if portion.size > PORTION or not portion.takes(recording, links):
            yield from portion.flushed()
            portion = Portion()
        portion.add(recording, start, links)
    yield from portion.flushed()


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


def _links(tape: RunTape, kept: list[Any]) -> Links:
    made = [tape.made(tensor) for tensor in tensors_in(kept)]
    decided = [call for call, behind in tape.decided if behind - {INPUT}]
    return Links(
        derived=frozenset(n for n, behind in tape.derived.items() if behind - {INPUT}),
        computed=frozenset(tape.computed),
        decided=min(decided, default=None),
        outputs=tuple(m for m in made if m is not None),
        whole=None not in made,
    )


def _refuse_too_much(size: int) -> None:
    if size > MOST:
        raise CaptureError(
            f"all runs together have {size / 2**30:.1f} GiB of values",
            expected=f"at most {MOST / 2**30:.0f} GiB",
            remedy="take fewer samples",
        )
