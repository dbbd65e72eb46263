"""Which PyTorch has the arithmetic that qdbg claims."""

from __future__ import annotations

from qdbg.core.arithmetic import Arithmetic
from qdbg.core.program import Environment
from qdbg.names import TEXTBOOK

MEASURED = "2.13"
"""The release whose kernels were compared bit for bit. Measured: 2.6, 2.9 and 2.12 give other
integers in some two dozen ops, such as where `quantize` meets a tie with an odd zero point; there
2.14 and 2.15 do as well."""


def other_release(environment: Environment) -> str:
    """What is to be said of integers of another release; empty for the measured one, and where
    the version is not known."""
    version = environment.torch
    if not version or version.startswith(f"{MEASURED}."):
        return ""
    return (
        f"PyTorch {version} ran it, and qdbg has the arithmetic of PyTorch {MEASURED}: others may"
        " round otherwise"
    )


def unmeasured(environment: Environment, arithmetic: Arithmetic) -> str:
    """Why an arithmetic is not claimed for what ran there; empty where it is. The textbook's is no
    kernel's, and never refused."""
    return "" if arithmetic.engine == TEXTBOOK else other_release(environment)
