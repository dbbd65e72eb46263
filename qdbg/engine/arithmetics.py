"""Arithmetics by name, with changed assumptions behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qdbg.assumptions import find
from qdbg.assumptions.hypothesis import TAKEN_BACK
from qdbg.core.presets import Arithmetic
from qdbg.core.program import Recording
from qdbg.core.versions import arithmetics, release_of


def arithmetic_for(recording: Recording, name: str = "auto") -> Arithmetic | None:
    """The arithmetic of that name, as the release of PyTorch has it that ran; `auto` is that of the
    captured engine and CPU level.

    Behind it, each after a `+`, the assumptions that are changed: `textbook+bias-float`; one that
    is taken back is left out. None for a name that does not exist.
    """
    base, *named = name.split("+")
    changes = _left(named)
    if base == "auto":
        base = f"{recording.environment.engine}-{recording.environment.cpu}"
    found = arithmetics(release_of(recording.environment.torch)).get(base)
    if found is None or not all(map(_exists, changes)):
        return None
    if not changes:
        return found
    return replace(found, name="+".join((base, *changes)), changes=tuple(changes))


def _exists(change: str) -> bool:
    found = find(change)
    return found is not None and found[0].id != TAKEN_BACK


def _left(changes: Sequence[str]) -> list[str]:
    """Without those that are taken back. What takes back one that is not there is kept: it does not
    exist."""
    kept: list[str] = []
    for change in changes:
        id_, _, taken = change.partition("=")
        if id_ == TAKEN_BACK and taken in kept:
            kept.remove(taken)
        else:
            kept.append(change)
    return kept
