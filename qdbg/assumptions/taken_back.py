"""The changes that the simulated arithmetic makes itself, as in `textbook+zero-padding`."""

from __future__ import annotations

from dataclasses import replace

from qdbg.assumptions import changed
from qdbg.assumptions.hypothesis import OWN, TAKEN_BACK, Hypothesis, Variants
from qdbg.assumptions.plan import Plan


def _taken_back(plan: Plan) -> Variants:
    """It begins anew with the operands of the whole call: it is made before all others."""
    if plan.unchanged is None:
        return
    own = plan.arithmetic.changes
    for name in own:
        others = tuple(other for other in own if other != name)
        arithmetic = replace(plan.arithmetic, changes=others)
        yield name, changed(replace(plan.unchanged, arithmetic=arithmetic), others)


HYPOTHESES = (
    Hypothesis(
        TAKEN_BACK,
        OWN,
        "a change that the simulated arithmetic makes is not made",
        "--arith NAME+CHANGE simulates with the assumption changed, where PyTorch may make it",
        "leave the change out of --arith",
        _taken_back,
        moves=True,
    ),
)
