"""The self-test's child with a wrong rule: `python -m tests.oracle.faulty`, the fault's name in
$QDBG_TEST_FAULT."""

import os

from qdbg.selftest import child
from qdbg.selftest.faults import faults

MODULE = "tests.oracle.faulty"
NAME = "QDBG_TEST_FAULT"


def fault_of(name):
    return next(fault for fault in faults() if fault.name == name)


if __name__ == "__main__":
    with fault_of(os.environ[NAME]).seeded():
        child.main()
