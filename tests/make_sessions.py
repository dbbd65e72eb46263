"""Make the committed sessions again: `python -m tests.make_sessions`.

To be run from the top folder. Each session is what a user gets by the same commands and ctrl+s;
the models run in PyTorch for it.
"""

from pathlib import Path

from qdbg.capture import Request, capture
from qdbg.debugger import Debugger
from qdbg.samples import input_sample, named_sample
from qdbg.session import Session, save

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


def main():
    versicolor = named_sample("versicolor")
    make("versicolor", "iris_qat.pth", versicolor, ("x86", "vnni"), VERSICOLOR)
    make("mystery", "iris_qat.pth", versicolor, ("fbgemm", "avx2"), MYSTERY)
    beyond = input_sample("12 1 11 6", standardize=True)
    make("beyond_calibration", "iris_ptq.pth", beyond, ("onednn", "avx2"), BEYOND)


if __name__ == "__main__":
    main()
