"""Where simulated integers cannot be fed on: calls that are not simulated, and what PyTorch ran
between the recorded calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qdbg.core.program import FIRST_CONSTANT, INPUT, Node, Recording
from qdbg.ops.recurrent import parts_of

DERIVED = "operations that qdbg does not record computed its operand from results that change"
DECIDED = "Python decides by a tensor's number what to run, after results that change"
RANGED = "its scale follows from its operand, which changes"
FOLLOWS = "it follows {}, which is not simulated"
DYNAMIC = frozenset({"quantize_dynamic"})
"""Ops whose result has parameters that follow from its operand."""


def refusal(
    recording: Recording, node: Node, call: int, changes: Callable[[int], bool]
) -> str | None:
    """Why the call cannot be simulated where some results change; None where it can. `changes`
    tells of a call's result, or of the model's INPUT, whether it is another one."""
    if any(map(changes, _deciding(recording, call))):
        return DECIDED
    if any(map(changes, _derived(recording, node, call))):
        return DERIVED
    return RANGED if node.op in DYNAMIC and any(map(changes, made(node))) else None


def made(node: Node) -> Iterator[int]:
    """Every call, or INPUT, whose result the call takes."""
    return (source for source in node.inputs if source >= 0 or source == INPUT)


def behind(recording: Recording, node: Node, call: int) -> Iterator[int]:
    """Every call, or INPUT, whose result the call depends on without taking it: also the linear
    parts inside a recurrent one, on which its gates depend."""
    yield from parts_of(node, call)
    yield from _derived(recording, node, call)
    yield from _deciding(recording, call)


def _deciding(recording: Recording, call: int) -> Iterator[int]:
    for start, sources in recording.unseen.decided if recording.unseen is not None else ():
        if call >= start:
            yield from (each for each in sources if each < call)


def _derived(recording: Recording, node: Node, call: int) -> Iterator[int]:
    """Calls before this one alone: what two calls take is noted once, for the later one."""
    if recording.unseen is not None:
        for source in node.inputs:
            found = recording.unseen.derived.get(FIRST_CONSTANT - source, ())
            yield from (each for each in found if each < call)
