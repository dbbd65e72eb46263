"""Which releases of PyTorch have the arithmetic that qdbg claims, and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from qdbg.core.presets import ARITHMETICS, ROUNDED, Arithmetic
from qdbg.core.program import Environment
from qdbg.names import TEXTBOOK

PRESETS = "2.13"
"""The release whose kernels are those of ARITHMETICS."""
RULES: Mapping[str, Mapping[str, Any]] = {
    "2.12": {"quantize": ROUNDED, "qint8": "XNNPACK", "onednn": "3.11"},
    PRESETS: {},
}
"""By release what its kernels do otherwise, as fields of Arithmetic. Each was compared bit for bit
by the self-test; for others nothing is claimed. 2.6, 2.9 and 2.15 round as 2.12 does in ATen, but
some kernels of their oneDNN, and of FBGEMM in 2.15, give integers that no rule here has."""
MEASURED = " and ".join(RULES)


def release_of(version: str) -> str | None:
    """The measured release that a torch.__version__ belongs to: `2.12` for `2.12.1+cu130`. None
    where it was not measured; where the version is not known, the presets'."""
    if not version:
        return PRESETS
    return next((each for each in RULES if version.startswith(f"{each}.")), None)


@cache
def arithmetics(release: str | None) -> Mapping[str, Arithmetic]:
    """Every arithmetic by name as the release has it: the textbook's is everywhere the same. Of a
    release that was not measured the presets, which `unmeasured` then refuses."""
    if release in {None, PRESETS}:
        return ARITHMETICS
    return {
        name: replace(each, release=release, **({} if name == TEXTBOOK else RULES[release]))
        for name, each in ARITHMETICS.items()
    }


def other_release(environment: Environment) -> str:
    """What is to be said of integers of a release that was not measured; empty for the measured
    ones, and where the version is not known."""
    version = environment.torch
    if release_of(version) is not None:
        return ""
    return (
        f"PyTorch {version} ran it, and qdbg has the arithmetic of PyTorch {MEASURED}: others may"
        " round otherwise"
    )


def unmeasured(environment: Environment, arithmetic: Arithmetic) -> str:
    """Why an arithmetic is not claimed for what ran there; empty where it is. The textbook's is no
    kernel's, and never refused."""
    if arithmetic.engine == TEXTBOOK:
        return ""
    release = release_of(environment.torch)
    if release is not None and arithmetic.release != release:
        return f"PyTorch {environment.torch} ran it; this is the arithmetic of {arithmetic.release}"
    return other_release(environment)
