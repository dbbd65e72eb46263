"""When an app under test has done everything, as its event loop shows it.

Textual's own pilot guesses: it sleeps for fiftieths of a second until the process takes little CPU
time, and makes every widget answer a message, which takes longer than most keys do. And on a busy
machine a process that takes little CPU time may have much to do still.
"""

import asyncio
import contextlib
import threading
import time
from pathlib import Path

from textual.app import ScreenStackError
from textual.pilot import Pilot

LIMIT = 60
"""Seconds after which what a test waits for counts as never coming."""
TASKS = "/proc/self/task"
LONGEST = 1
"""Seconds of the process's own time after which an app that always has something to do is looked
at all the same."""


class Patient(Pilot):
    """Lets the app do all that each key leads to, before the next one."""

    async def press(self, *keys):
        for key in keys:
            await super().press(key)

    async def _wait_for_screen(self, timeout=LIMIT):
        del timeout
        await idle(self.app)
        return True


async def idle(app):
    """Wait until nothing is ready to run, nothing waits to be drawn and no thread works."""
    loop, end = asyncio.get_running_loop(), time.process_time() + LONGEST
    while time.process_time() < end:
        await asyncio.sleep(0)
        if loop._ready:  # asyncio's own list, of all that would run now
            continue
        if drawn(app) and (not app.workers or await threads_wait()):
            return


def drawn(app):
    """Whether all is drawn already; if not, it is drawn at once. Textual's own state, as private
    as what its timer calls sixty times a second."""
    try:
        screen = app.screen
    except ScreenStackError:
        return True
    if app._resize_timer is not None:
        app._check_resize()
        return False
    waits = (
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
        or screen._callbacks
    )
    if waits:
        screen._on_timer_update()
    return not waits


async def threads_wait():
    """Let threads work for a moment; whether none did, and none waits for a core to do so."""
    before = time.process_time()
    await asyncio.sleep(0.005)
    return time.process_time() - before < 0.001 and not any(map(runs, Path(TASKS).iterdir()))


def runs(task):
    """Whether the thread runs, or waits for a core or for the disk; not the one that asks."""
    if int(task.name) == threading.get_native_id():
        return False
    with contextlib.suppress(OSError):  # it has ended
        state = (task / "stat").read_text().rpartition(")")[2].split()[0]
        return state in "RD"
    return False


async def at_once(*_):
    """Instead of Textual's `wait_for_idle`."""


async def until(pilot, seen, limit=LIMIT):
    """Wait until a function gives something true; give that."""
    end = time.monotonic() + limit
    while True:
        await pilot.pause()
        found = seen()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"it did not come to that: {seen}")
        await asyncio.sleep(0.002)
