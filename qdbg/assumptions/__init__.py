"""Assumptions about a call's arithmetic that can be changed one at a time: the hypotheses.

One file per family, found by scanning this folder.
"""

from __future__ import annotations

import pkgutil
from dataclasses import replace
from functools import cache
from importlib import import_module

from qdbg.assumptions.hypothesis import ASSUMPTIONS, Hypothesis
from qdbg.assumptions.plan import Plan

__all__ = ["Hypothesis", "Plan", "changed", "find", "registry"]


@cache
def registry() -> dict[str, Hypothesis]:
    """Every hypothesis by id, those that are cheap to check first."""
    files = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    modules = [import_module(f"{__name__}.{name}") for name in files]
    found = [h for module in modules for h in getattr(module, "HYPOTHESES", ())]
    found.sort(key=lambda h: ASSUMPTIONS.index(h.assumption))
    return {h.id: h for h in found}


def find(name: str) -> tuple[Hypothesis, str] | None:
    """The hypothesis and its variant of `id` or `id=variant`; None where there is no such id."""
    id_, _, variant = name.partition("=")
    known = registry().get(id_)
    return None if known is None else (known, variant)


def changed(plan: Plan, names: tuple[str, ...]) -> Plan:
    """The plan with the assumptions changed that its arithmetic names, in this order, but first
    those that move numbers; those that it does not make stay."""
    known = [found for found in map(find, names) if found is not None]
    plan = replace(plan, unchanged=plan if names else None)
    for own, variant in sorted(known, key=lambda found: not found[0].moves):
        plan = next((p for v, p in own.change(plan) if v == variant), plan)
    return plan
