"""One running app for the tests of a module: starting one takes longer than most tests.

Each test gets it as if it had just opened its session. An app that a test has broken, or has left
on another screen, is not used again.
"""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

from qdbg.app.app import QdbgApp
from qdbg.app.main import MainScreen
from qdbg.app.plan import Plan
from qdbg.app.theme import DARK
from qdbg.debugger import Debugger
from qdbg.session import Session
from tests.app.idle import until
from tests.synthetic import recording

OWN = ("view", "_reading", "filter", "_matched", "notify", "give")
"""What a test may have set on the app, whose class has what an app begins with."""
FOLDED = ("unexplained", "unwatched")
"""What a test may have hidden on the main screen."""


class Stage:
    """The app that runs, if one does."""

    def __init__(self):
        self._pilot = None
        self._task = self._ending = None

    @asynccontextmanager
    async def __call__(self, made=None, arithmetic="auto", *, size=(120, 40)):
        debugger = Debugger(made if made is not None else recording(), arithmetic)
        if not self._usable():
            await self.close()
            await self._start(size)
        await self._show(debugger, size)
        try:
            with self._pilot.app._context():  # private: tells the test's own calls which app it is
                yield self._pilot
        except BaseException:
            self._ending.set()
            self._pilot = None
            raise
        if not self._pilot.app.is_running:
            await self.close()  # which raises what the app ended with

    def _usable(self):
        if self._pilot is None:
            return False
        app = self._pilot.app
        return app.is_running and any(isinstance(s, MainScreen) for s in app.screen_stack)

    async def _start(self, size):
        """In a task of its own, which lives on from test to test."""
        ready, self._ending = asyncio.get_running_loop().create_future(), asyncio.Event()
        ending = self._ending

        async def run():
            session = Session.of(Debugger(recording()))
            app = QdbgApp(Plan("iris_qat.qdbg", lambda: session, Path("iris_qat.qdbg"), None, None))
            async with app.run_test(size=size) as pilot:
                ready.set_result(pilot)
                await ending.wait()

        self._task = asyncio.create_task(run())
        await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            await self.close()  # which raises what kept it from starting
        self._pilot = ready.result()
        with self._pilot.app._context():
            await counted(self._pilot)

    async def _show(self, debugger, size):
        app = self._pilot.app
        with app._context():
            while not isinstance(app.screen, MainScreen):
                app.pop_screen()
            for name in OWN:
                vars(app).pop(name, None)
            app.clear_notifications()
            app.theme = DARK.name
            app.screen.remove_class(*FOLDED)
            if app.size != size:
                await self._pilot.resize_terminal(*size)
            if shapes(debugger) == shapes(app.debugger):
                app.began(debugger, app.plan)
                app.screen.count_fares()
                app.screen.draw_again()
            else:  # as another file is opened: with a screen of its own
                app.show_debugger(debugger, app.plan)
            await counted(self._pilot)

    async def close(self):
        """End the app, if one runs; raises what it ended with."""
        task, self._task, self._pilot = self._task, None, None
        if task is not None:
            self._ending.set()
            await task


def shapes(debugger):
    return [node.shape for node in debugger.recording.program.nodes]


async def counted(pilot):
    """Wait until the main screen shows its counts."""

    def shown():
        screens = pilot.app.screen_stack
        return any(screen.fares for screen in screens if isinstance(screen, MainScreen))

    await until(pilot, shown)
    await pilot.pause()
