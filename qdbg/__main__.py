"""`python -m qdbg` is `qdbg`."""

import sys

from qdbg.cli import main

if __name__ == "__main__":  # a worker process imports this module
    sys.exit(main())
