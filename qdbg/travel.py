"""Undo and redo of movement: where the cursor was before each command that moved it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spot:
    """A place by name: the same under every arithmetic."""

    step: str
    element: int


@dataclass(frozen=True, slots=True)
class Move:
    """One command that moved the cursor."""

    command: str
    start: Spot
    end: Spot


class Travel:
    """The moves so far, and those that were undone."""

    def __init__(self) -> None:
        self._done: list[Move] = []
        self._undone: list[Move] = []

    @property
    def last(self) -> Move | None:
        """The move that an undo takes back."""
        return self._done[-1] if self._done else None

    def moved(self, command: str, start: Spot, end: Spot) -> None:
        """Remember a move; what was undone before it cannot be redone any more."""
        if start != end:
            self._done.append(Move(command, start, end))
            self._undone.clear()

    def undo(self) -> Move | None:
        """Take the last move back; None where there is none."""
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def redo(self) -> Move | None:
        """Make the move again that was undone last; None where there is none."""
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]
