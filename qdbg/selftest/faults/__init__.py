"""Seeded faults: one rule of the arithmetic changed, which a run must notice."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Any

from qdbg.core.presets import ROUNDED, Arithmetic
from qdbg.core.stage import Stage
from qdbg.engine.known import forget

FUSED: Mapping[str, str] = {"quantize": "fused"}
FIRST: Mapping[str, str] = {"quantize": ROUNDED}
"""The releases that add the zero point before rounding, and those that round first."""
EVERYWHERE: Mapping[str, str] = MappingProxyType({})
"""All of them."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A wrong rule, and where it shows."""

    name: str
    """In words: `fbgemm rounds the bias`."""
    case: str
    """The generator whose cases must show it."""
    changes: tuple[tuple[ModuleType, str, Any], ...]
    """Module, name in it, and what takes its place."""
    engines: tuple[str, ...] = ("fbgemm", "x86", "onednn", "qnnpack")
    levels: tuple[str, ...] = ("avx2", "avx512", "vnni")
    only: Mapping[str, str] = field(default_factory=dict)
    """Fields of the arithmetic that must be so: its release has the rule that is changed."""

    def shows(self, arithmetic: Arithmetic) -> bool:
        """Whether it makes a difference there."""
        rules = all(getattr(arithmetic, name) == rule for name, rule in self.only.items())
        return rules and arithmetic.engine in self.engines and arithmetic.level in self.levels

    @contextmanager
    def seeded(self) -> Iterator[None]:
        """The rule is wrong inside, and right again afterwards."""
        before = [(module, name, getattr(module, name)) for module, name, _ in self.changes]
        try:
            for module, name, wrong in self.changes:
                setattr(module, name, wrong)
            forget()
            yield
        finally:
            for module, name, right in before:
                setattr(module, name, right)
            forget()


def computing(stage: Stage, function: Callable[..., Any]) -> Stage:
    """The stage with another arithmetic behind the same formula."""
    return replace(stage, compute=function)


def fault(
    name: str,
    case: str,
    module: ModuleType,
    attribute: str,
    wrong: Any,
    only: Mapping[str, str] = EVERYWHERE,
    **where: tuple[str, ...],
) -> Fault:
    """Another function in place of one that a module uses; `only` and `where` are fields of
    Fault."""
    return Fault(name, case, ((module, attribute, wrong),), only=only, **where)


def stage_fault(
    name: str,
    case: str,
    module: ModuleType,
    attribute: str,
    function: Callable[..., Any],
    only: Mapping[str, str] = EVERYWHERE,
    **where: tuple[str, ...],
) -> Fault:
    """Another arithmetic behind one stage."""
    wrong = computing(getattr(module, attribute), function)
    return fault(name, case, module, attribute, wrong, only, **where)


@cache
def faults() -> tuple[Fault, ...]:
    """Every fault, from the `FAULTS` of each file here without a leading underscore."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return tuple(fault for module in modules for fault in module.FAULTS)
