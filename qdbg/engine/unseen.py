"""Where simulated integers cannot be fed on: what PyTorch ran between the recorded calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qdbg.core.program import FIRST_CONSTANT, Node, Recording

DERIVED = "operations that qdbg does not record computed its operand from results that change"
DECIDED = "Python decides by a tensor's number what to run, after results that change"


def refusal(
    recording: Recording, node: Node, call: int, changes: Callable[[int], bool]
) -> str | None:
    """Why the call cannot be simulated where some results change; None where it can. `changes`
    tells of a call's result, or of the model's INPUT, whether it is another one."""
    unseen = recording.unseen
    if unseen is None:
        return None
    if any(call >= start and any(map(changes, behind)) for start, behind in unseen.decided):
        return DECIDED
    return DERIVED if any(map(changes, _derived(recording, node))) else None


def behind(recording: Recording, node: Node, call: int) -> Iterator[int]:
    """Every call, or INPUT, whose result the call depends on without taking it."""
    yield from _derived(recording, node)
    unseen = recording.unseen
    for start, sources in unseen.decided if unseen is not None else ():
        if call >= start:
            yield from sources


def _derived(recording: Recording, node: Node) -> Iterator[int]:
    if recording.unseen is not None:
        for source in node.inputs:
            yield from recording.unseen.derived.get(FIRST_CONSTANT - source, ())
