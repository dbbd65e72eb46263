"""What is drawn for each op: one file a family, found by scanning this folder."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

from qdbg.selftest.draw import Generator

JOINED = {
    "conv_add": "conv",
    "linear_fused": "linear",
    "recurrent": "linear_dynamic",
    "softmax": "activations",
}
"""Files whose cases belong to the family of another file."""


@cache
def families() -> dict[str, str]:
    """The family of kernels by the name of a generator."""
    return {name: family for family, made in _modules() for name in made.CASES}


@cache
def generators() -> dict[str, Generator]:
    """By name, from the `CASES` of each file here whose name has no leading underscore."""
    return {name: make for _, module in _modules() for name, make in module.CASES.items()}


def _modules() -> list[tuple[str, Any]]:
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return [(JOINED.get(name, name), import_module(f"{__name__}.{name}")) for name in names]
