"""Long work says how far it is, to whoever listens; the listener ends it by raising Cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from qdbg.errors import QdbgError

Tell = Callable[[str, int, int], None]
"""Hears what is done next, how many parts are done, and of how many."""


class Cancelled(QdbgError):
    """The user does not want to wait for it; nothing is wrong, and nothing has changed."""


def _nobody(what: str, done: int, total: int) -> None:
    del what, done, total


_LISTENER: ContextVar[Tell] = ContextVar("listener", default=_nobody)


def doing(what: str, done: int, total: int) -> None:
    """Tell the listener of this thread. Raises Cancelled where it says so."""
    _LISTENER.get()(what, done, total)


@contextmanager
def heard_by(tell: Tell) -> Iterator[None]:
    """Inside, this thread's long work is told to `tell`."""
    before = _LISTENER.set(tell)
    try:
        yield
    finally:
        _LISTENER.reset(before)


@contextmanager
def part(place: int, count: int) -> Iterator[None]:
    """Inside, the work counts as one of so many parts of a larger one."""
    whole = _LISTENER.get()
    with heard_by(lambda what, done, total: whole(what, place * total + done, count * total)):
        yield
