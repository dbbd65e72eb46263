"""Known: results of stages that many plans share."""

from __future__ import annotations

import numpy as np

from qdbg.core.quantity import Array
from qdbg.core.stage import Stage, Values

SMALL = 1 << 20
"""Operands of so many bytes are told apart by their content, larger ones by what they are."""
ROOM = 1 << 28
"""So many bytes are kept; then all is forgotten, and made again where it is asked for."""
PLAIN = (bool, int, float, str, type(None))


class Known:
    """Results of stages, each computed once for the same operands: a change leaves most of what is
    computed as it is, and sets of changes share what their parts make."""

    def __init__(self) -> None:
        self._held: dict[int, object] = {}
        self._forget()

    def _forget(self) -> None:
        self._names: dict[int, tuple[object, int]] = {}
        self._numbers: dict[object, int] = {}
        self._made: dict[tuple[object, ...], Array] = {}
        self._bytes = 0

    def hold(self, values: Values) -> None:
        """Operands that many plans share: results on them are kept, however large they are."""
        self._held.update((id(value), value) for value in values.values())

    def run(self, stage: Stage, values: Values) -> Array:
        """The stage's result, computed once for the same operands."""
        key: list[object] = [stage.compute]
        for name in stage.parameters:
            value = values[name]
            number = self._names.get(id(value)) or self._named(value, id(value) in self._held)
            if number is None:
                return stage.run(values)
            key.append(number[1])
        made = self._made.get(tuple(key))
        if made is None:
            made = self._made[tuple(key)] = stage.run(values)
            self._named(made, True)
            if self._bytes > ROOM:
                self._forget()
        return made

    def _named(self, value: object, held: bool) -> tuple[object, int] | None:
        """A number that is the same for operands that are the same, beside what must be kept for
        it; None for a large operand that few plans share."""
        content = _content(value) or (id(value) if held else None)
        if content is None:
            return None
        number = self._numbers.setdefault(content, len(self._numbers))
        self._bytes += 2 * getattr(value, "nbytes", 0)
        return self._names.setdefault(id(value), (value, number))


def _content(value: object) -> tuple[object, ...] | None:
    """What tells a small operand from others; None for one that is large or of an unknown kind."""
    if isinstance(value, np.ndarray | np.generic):
        if value.nbytes > SMALL:
            return None
        return value.dtype, value.shape, value.strides, value.tobytes()
    return (type(value), repr(value)) if isinstance(value, PLAIN) else None
