"""The self-test's child with a wrong rule, whose name stands in a file of the working folder."""

from pathlib import Path

from qdbg.selftest import child
from qdbg.selftest.faults import faults

MODULE = "tests.oracle.faulty"
FILE = "fault"


def fault_of(name):
    return next(fault for fault in faults() if fault.name == name)


def main():
    with fault_of(Path(FILE).read_text(encoding="utf-8")).seeded():
        child.main()
