"""Prints the family of kernels of each of the self-test's generators; these need torch."""

import json
import sys

from qdbg.selftest.cases import families

sys.stdout.write(json.dumps(families()))
