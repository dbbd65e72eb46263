"""The operators that qdbg simulates: one file each, found by scanning this folder."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from qdbg.core.op import Op


@cache
def registry() -> dict[str, Op]:
    """Every op by name, from each file here whose name has no leading underscore."""
    files = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    modules = [import_module(f"{__name__}.{name}") for name in files]
    return {op.name: op for module in modules for op in module.OPS}


@cache
def names_of_calls() -> dict[str, str]:
    """From the dispatcher's names to the names of ops: `quantized::linear` to `linear`; with an
    overload where only that one is the op: `quantized::mul.Scalar` to `mul_scalar`."""
    return {call: op.name for op in registry().values() for call in op.calls}
