"""The pictures of the README, made by the app itself: `python -m tests.pictures`.

Each is what the keys of the newcomer's session lead to.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

from textual.worker import WorkerCancelled

from qdbg.app.app import QdbgApp
from qdbg.app.plan import plan_of_words

FOLDER = Path(__file__).parents[1] / "sessions"
SESSION = [str(FOLDER / "mystery.qdbg"), "--arith", "textbook"]
PICTURES = {
    "mystery": (("c", "D"), (120, 32)),
    "mystery_element": (("c", "D", "s"), (120, 26)),
    "mystery_why": (("c", "D", "d"), (120, 32)),
}
"""The keys that are pressed from the start on, and the size of the terminal."""


async def settled(pilot):
    """Wait until every thread of the app has answered and its answers are drawn."""
    manager = pilot.app.workers
    while working := [worker for worker in manager if not worker.is_finished]:
        with suppress(WorkerCancelled):  # by one that answers in its place
            await manager.wait_for_complete(working)
    for _ in range(3):
        await pilot.pause()


async def picture(name, folder=FOLDER):
    """Write one picture."""
    keys, size = PICTURES[name]
    app = QdbgApp(plan_of_words([*SESSION, "--run", "start"]))
    async with app.run_test(size=size) as pilot:
        async with asyncio.timeout(60):
            while not getattr(app.screen, "fares", ()):
                assert not app.problem, app.problem
                await pilot.pause()
        for key in keys:
            await pilot.press(key)
        await settled(pilot)
        app.save_screenshot(f"{name}.svg", str(folder))


def main():
    for name in PICTURES:
        asyncio.run(picture(name))


if __name__ == "__main__":
    main()
