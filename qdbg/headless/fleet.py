"""What `predict` and `sweep` share: the samples and what PyTorch is to run, and other engines."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qdbg.capture import Request, capture
from qdbg.core.program import Node, Recording
from qdbg.core.quantity import readonly
from qdbg.core.runs import Runs, same_node
from qdbg.core.versions import arithmetics, other_release, release_of
from qdbg.core.words import counted
from qdbg.errors import CaptureError, ForwardError
from qdbg.fleet.feed import Machine, Place
from qdbg.fleet.workers import Workers
from qdbg.headless.opening import missing_order
from qdbg.headless.recording import CHILDREN
from qdbg.names import BACKENDS, ENGINES, LEVELS
from qdbg.reader import read_model
from qdbg.samples import Sample
from qdbg.sets import SampleSet, sample_set

if TYPE_CHECKING:
    import argparse

PLAIN = frozenset({"quantize", "linear", "linear_relu", "relu", "dequantize", "identity"})
"""Ops of which every engine makes the same calls, with results that lie in memory in one way."""


def open_samples(options: argparse.Namespace) -> tuple[SampleSet, Request]:
    """The set that the options name, and what PyTorch is to run. Raises QdbgError."""
    samples = sample_set(options.samples)
    missing = missing_order(read_model(Path(options.target)), options)
    if missing is not None:
        raise ForwardError(missing.found, expected=missing.expected, remedy=missing.remedy)
    request = Request(
        model=Path(options.target),
        source=None if options.source is None else Path(options.source),
        trust=options.trust_source,
        engine=options.engine,
        cpu=options.cpu or "native",
        sample=Sample(samples.name, samples.values, samples.note),
        batch=options.batch or 1,
    )
    return samples, request


def workers_for(options: argparse.Namespace) -> Workers:
    """Those that the options ask for."""
    return Workers(options.jobs, options.backend or BACKENDS[0])


def command_for(options: argparse.Namespace, sample: int, *more: str) -> str:
    """How the debugger opens one of the samples."""
    words = ["qdbg", options.target, "--sample", f"{options.samples}:{sample}", *more]
    if options.source:
        words += ["--source", options.source]
    if options.trust_source:
        words.append("--trust-source")
    return shlex.join(words)


# --------------------------------------------------------------------- the other engines


def machines_for(
    request: Request, portions: Sequence[Runs], progress: Callable[[str], None]
) -> list[tuple[str, Machine | str]]:
    """Each engine on each CPU level by name, or why PyTorch does not run the model there.

    Engines make the same calls, but may leave a result in another order of memory, which decides
    about the integers of what follows: one lot of samples is run on each to see it.
    """
    first = portions[0].first
    if reason := other_release(first.environment):
        return [(f"{engine}-{level}", reason) for level in LEVELS for engine in ENGINES]
    asked: dict[str, dict[Place, Node] | str | None] = dict.fromkeys(ENGINES)
    if not all(_is_plain(runs.first) for runs in portions):
        others = [engine for engine in ENGINES if engine != first.environment.engine]
        progress(f"looking at the calls of {', '.join(others)}")
        with ThreadPoolExecutor(CHILDREN) as pool:
            seen = pool.map(lambda engine: _calls_on(engine, request, portions), others)
            asked |= zip(others, seen, strict=True)
    own = arithmetics(release_of(first.environment.torch))
    return [
        (
            name,
            known if isinstance(known := asked[engine], str) else Machine(name, own[name], known),
        )
        for level in LEVELS
        for engine in ENGINES
        for name in [f"{engine}-{level}"]
    ]


def _is_plain(recording: Recording) -> bool:
    layers = recording.program.layers.values()
    moved = any(
        layer.weight is not None and np.any(layer.weight.qparams.zero_point) for layer in layers
    )
    nodes = recording.program.nodes
    return not moved and all(n.op in PLAIN and n.strides is None for n in nodes)


def _calls_on(engine: str, request: Request, portions: Sequence[Runs]) -> dict[Place, Node] | str:
    """The engine's calls by place, or why it does not run the model."""
    found: dict[Place, Node] = {}
    for lot in _lots(request):
        one = replace(request, engine=engine, cpu="native", sample=lot, batch=0)
        try:
            made = capture(one, lambda _: None, lambda: False).program.nodes
        except CaptureError as error:
            return error.found
        own = next(r.nodes for r in portions if r.first.input.shape == lot.values.shape)
        if len(made) != len(own):
            return f"the {engine} engine makes {counted(len(made), 'call')}, not {len(own)}"
        other = next((b.name for a, b in zip(made, own, strict=True) if not _alike(a, b)), None)
        if other is not None:
            return f"the {engine} engine makes another call in the place of {other}"
        found |= {(node.name, node.shape): node for node in made}
    return found


def _alike(one: Node, other: Node) -> bool:
    """Whether two engines make the same call; a scale may follow from the sample's numbers."""
    return same_node(replace(one, output=other.output), other, memory=False)


def _lots(request: Request) -> Iterator[Sample]:
    """The first samples that are run together, and the last ones if they are fewer."""
    values, batch = request.sample.values, request.batch
    rest = len(values) % batch
    starts = [slice(0, batch)] if len(values) >= batch else []
    for chosen in [*starts, *([slice(len(values) - rest, None)] if rest else [])]:
        yield replace(request.sample, values=readonly(values[chosen]))
