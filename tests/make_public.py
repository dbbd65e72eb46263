"""Make the public cases' sessions again: `python -m tests.make_public`, from the top folder.

Each thread's layer runs in PyTorch in a child process, under an engine whose integers differ there
from what was computed by hand. The numbers by hand stand beside it where the textbook's arithmetic
does not give them too.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from qdbg.capture.level import VARIABLES
from qdbg.session import load
from tests.oracle.posted import CASES

FOLDER = Path("sessions/public")
PLACES = {
    "44939": "fbgemm",
    "76390 Linear 114": "fbgemm",
    "76390 Conv1d 113": "onednn",
    "50720 conv2d": "fbgemm",
    "50720 linear": "onednn",
    "126521": "fbgemm",
    "56331": "qnnpack",
    "37343": "qnnpack",
    "53807": "qnnpack",
    "92246": "fbgemm",
    "forum 197716": "fbgemm",
    "forum 141369": "fbgemm",
    "forum 69512": "fbgemm",
}
"""The thread and the engine that shows it; all on AVX2, which every machine can run."""
BY_THE_TEXTBOOK = ("44939", "76390 Linear 114", "76390 Conv1d 113", "50720 conv2d",
                   "50720 linear", "126521", "37343")  # fmt: skip
"""By hand is what the textbook's arithmetic gives."""


def stem(thread):
    """`pytorch-44939`, `forum-197716`."""
    words = thread.lower().split()
    return "-".join(words if words[0] == "forum" else ["pytorch", *words])


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for thread, engine in PLACES.items():
        path = FOLDER / f"{stem(thread)}.qdbg"
        subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-m", "tests.oracle.public", "avx2", engine, "--save", path, thread],
            env=os.environ | VARIABLES["avx2"] | {"OMP_NUM_THREADS": "1"},
            check=True,
        )
        if thread not in BY_THE_TEXTBOOK:
            name = load(path).recording.program.nodes[0].name
            np.savez(path.with_suffix(".npz"), **{name: CASES[thread]().by_hand})


if __name__ == "__main__":
    main()
