"""What another clamp computes is what its formula says."""

import numpy as np
import pytest

from qdbg.assumptions.activation import CLAMPS
from qdbg.engine.evidence import evidence
from qdbg.engine.why import why_golden
from tests.synthetic import recording


@pytest.mark.parametrize("variant", CLAMPS)
def test_the_formula_of_a_clamp_gives_its_numbers(variant):
    formula, how = CLAMPS[variant]
    said = formula.format("z").replace("mod", "%")
    numbers = range(-700, 700)
    by_formula = [eval(said, {"z": z, "min": min, "max": max}) for z in numbers]  # noqa: S307 - ours
    assert how(np.array(numbers)).tolist() == by_formula


def test_results_cut_at_127_are_a_clamp_to_the_range_of_int8_and_no_cast():
    made = recording(rows=6)
    (call,) = why_golden(made, {3: np.minimum(made.values[3].astype(int), 127)}).calls
    cause = next(c for c in call.diagnosis.causes if c.names == ("clamp=int8",))
    (held,) = evidence(why_golden(made, {}).trace, 3, cause)
    assert held.changed_line.symbols == "y_q = min(max(z, -128), 127)"
    assert held.changed_line.numbers == f"y_q = min(max({held.before}, -128), 127) = 127"
