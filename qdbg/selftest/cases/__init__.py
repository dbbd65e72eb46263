"""What is drawn for each op: one file a family, found by scanning this folder."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from qdbg.selftest.draw import Generator


@cache
def generators() -> dict[str, Generator]:
    """By name, from the `CASES` of each file here whose name has no leading underscore."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return {name: make for module in modules for name, make in module.CASES.items()}
