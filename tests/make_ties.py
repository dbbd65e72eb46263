"""Record ties with odd zero points by the release of PyTorch that is installed.

`PYTHONPATH=. python -m tests.make_ties`, from the top folder, under one release after another:
writes `tests/ties/RELEASE-ENGINE.qdbg`, which tells the release's rules where it is not installed.
"""

import os
import subprocess
import sys

from qdbg.capture.level import VARIABLES

ENGINES = ("fbgemm", "qnnpack")


def main():
    for engine in ENGINES:
        words = [sys.executable, "-W", "ignore", "-m", "tests.tied", engine]
        subprocess.run(words, env=os.environ | VARIABLES["avx2"], check=True)  # noqa: S603 - our own words


if __name__ == "__main__":
    main()
