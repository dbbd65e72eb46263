"""When the terminal is gone: nothing may wait for it, and nothing may be left running."""

from __future__ import annotations

import os
import select
import sys
import threading

PATIENCE = 5.0
"""Seconds after which the process ends in any case: nobody can end it by hand any more."""
STREAMS = (0, 1, 2)


def at_a_terminal() -> bool:
    """Whether keys come from a terminal whose end can be noticed."""
    return hasattr(select, "poll") and sys.__stdin__ is not None and sys.__stdin__.isatty()


def hung_up() -> bool:
    """Whether the terminal is gone; it may go without a signal, where it is not one's own."""
    poller = select.poll()
    poller.register(STREAMS[0], 0)
    return any(event & select.POLLHUP for _, event in poller.poll(0))


def let_go() -> None:
    """What is written from now on goes nowhere.

    A write that fails would end Textual's writer, whose end would be waited for in vain.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in STREAMS:
        os.dup2(nowhere, stream)
    late = threading.Timer(PATIENCE, os._exit, (0,))
    late.daemon = True
    late.start()
