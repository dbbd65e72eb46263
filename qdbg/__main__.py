"""`python -m qdbg` is `qdbg`."""

import sys

from qdbg.cli import main

sys.exit(main())
