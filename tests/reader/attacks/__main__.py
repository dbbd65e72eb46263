"""Write all files into the folder that is named."""

import sys
from pathlib import Path

from tests.reader.attacks import make_all

for made in make_all(Path(sys.argv[1])):
    sys.stdout.write(f"{made.path}\n")
