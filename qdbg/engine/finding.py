"""Which elements of a step a filter keeps: `≠`, `sat`, `tie`, `changed`, `c=8`, `>100`, or an
expression over named values; of several words all must hold."""

from __future__ import annotations

import re

import numpy as np

from qdbg.core.quantity import Array
from qdbg.engine.expression import parse
from qdbg.engine.scope import check_names, satisfying
from qdbg.engine.step import Step
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError

SHORT = {"!=": "≠", "diff": "≠", "saturation": "sat", "ties": "tie"}
"""Other spellings."""
FORMS = "≠, sat, tie, changed, c=8, >100, or an expression: abs(delta) > 1 and c == 8"
_PLACE = re.compile(r"([a-z])=(\d+)", re.ASCII)
_BOUND = re.compile(r"(<=|>=|<|>|==?)(-?\d+(?:\.\d+)?)", re.ASCII)


def elements(trace: Trace, step: Step, text: str) -> Array:
    """The flat indices of the elements that the filter keeps, in order. Raises CommandError."""
    words = [SHORT.get(word, word) for word in text.split()]
    if not words:
        raise CommandError("a filter is empty", expected=FORMS)
    if not all(_simple(word) for word in words):
        return np.flatnonzero(_mask(trace, step, text))
    kept = np.ones(step.size, np.bool_)
    for word in words:
        kept &= _mask(trace, step, word)
    return np.flatnonzero(kept)


def _simple(word: str) -> bool:
    whole = _PLACE.fullmatch(word) or _BOUND.fullmatch(word)
    return word in {"≠", "sat", "tie", "changed"} or whole is not None


def _mask(trace: Trace, step: Step, word: str) -> Array:
    """bool [elements]; nowhere true for what the step does not know."""
    flags = {
        "≠": lambda: step.different,
        "sat": lambda: step.cut,
        "tie": lambda: step.ties,
        "changed": lambda: step.changed,
    }
    if word in flags:
        found = flags[word]()
        return np.zeros(step.size, np.bool_) if found is None else found.ravel() != 0
    place, bound = _PLACE.fullmatch(word), _BOUND.fullmatch(word)
    shown = "simulated" if step.simulated is not None else "captured"
    if place is not None:
        word = f"{place[1]} == {place[2]}"
    elif bound is not None:
        word = f"{shown} {'==' if bound[1] == '=' else bound[1]} {bound[2]}"
    expression = parse(word)
    check_names(trace, expression)
    held = satisfying(step, expression)
    return np.zeros(step.size, np.bool_) if held is None else held
