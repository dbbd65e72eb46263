"""Arithmetics by name, with changed assumptions behind it."""

from __future__ import annotations

from dataclasses import replace

from qdbg.assumptions import find
from qdbg.core.arithmetic import ARITHMETICS, Arithmetic
from qdbg.core.program import Recording


def arithmetic_for(recording: Recording, name: str = "auto") -> Arithmetic | None:
    """The arithmetic of that name; `auto` is that of the captured engine and CPU level.

    Behind it, each after a `+`, the assumptions that are changed: `textbook+bias-float`. None for
    a name that does not exist.
    """
    base, *changes = name.split("+")
    if base == "auto":
        base = f"{recording.environment.engine}-{recording.environment.cpu}"
    found = ARITHMETICS.get(base)
    if found is None or not all(find(change) for change in changes):
        return None
    if not changes:
        return found
    return replace(found, name="+".join((base, *changes)), changes=tuple(changes))
