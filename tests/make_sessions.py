"""Make the committed sessions and the picture again: `python -m tests.make_sessions`.

To be run from the top folder. Each session is what a user gets by the same commands and ctrl+s;
the models run in PyTorch for it. The picture is the app's own, of the key c.
"""

import asyncio
from pathlib import Path

from qdbg.app.app import QdbgApp
from qdbg.app.plan import Plan
from qdbg.capture import Request, capture
from qdbg.debugger import Debugger
from qdbg.samples import input_sample, named_sample
from qdbg.session import Session, load, save

VERSICOLOR = ["continue", "go fc1.mac", "element 7", "mark a", "next", "end"]
MYSTERY = [
    "arithmetic textbook",
    "continue",
    "next-difference",
    "mark a",
    "next-layer-difference",
    "arithmetic auto",
    "start",
    "next-saturation",
    "next-saturation",
    "go 'a",
    "start",
]
BEYOND = ["break saturation", "continue", "next-saturation", "continue", "end"]


def make(name, model, sample, kernels, commands):
    engine, cpu = kernels
    request = Request(Path("models") / model, None, False, engine, cpu, sample)
    debugger = Debugger(capture(request, lambda _: None, lambda: False))
    for command in commands:
        debugger.execute(command)
    save(Session.of(debugger), Path("sessions") / f"{name}.qdbg")


async def picture(session):
    app = QdbgApp(Plan("mystery.qdbg", lambda: session, Path("mystery.qdbg"), "textbook", None))
    async with app.run_test(size=(120, 32)) as pilot:
        while not getattr(app.screen, "fares", ()):
            await pilot.pause()
        await pilot.press("R", "c")
        app.save_screenshot("mystery.svg", "sessions")


def main():
    versicolor = named_sample("versicolor")
    make("versicolor", "iris_qat.pth", versicolor, ("x86", "vnni"), VERSICOLOR)
    make("mystery", "iris_qat.pth", versicolor, ("fbgemm", "avx2"), MYSTERY)
    beyond = input_sample("12 1 11 6", standardize=True)
    asyncio.run(picture(load(Path("sessions/mystery.qdbg"))))
    make("beyond_calibration", "iris_ptq.pth", beyond, ("onednn", "avx2"), BEYOND)


if __name__ == "__main__":
    main()
