"""Changes that the simulated arithmetic makes itself are doubted like everything else."""

import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.debugger import Debugger
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.why import why_simulated
from tests.synthetic import recording


@pytest.fixture(scope="module")
def made():
    """Captured integers with saturating pairs."""
    return recording(rows=4)


@pytest.mark.parametrize(
    ("arithmetic", "cause"),
    [
        ("fbgemm-avx2+output-zero-point", {"taken-back=output-zero-point"}),
        (
            "fbgemm-avx2+output-zero-point=subtracted+weight-order=transposed",
            {"taken-back=output-zero-point=subtracted", "taken-back=weight-order=transposed"},
        ),
        (
            "textbook+output-zero-point",
            {"taken-back=output-zero-point", "pair-saturation=fbgemm-avx2"},
        ),
    ],
)
def test_a_wrong_change_is_taken_back_alone_and_with_others(made, arithmetic, cause):
    found = why_simulated(Debugger(made, arithmetic).trace)
    assert cause in [set(each.names) for each in found.together]
    assert all(call.explained for call in found.calls)


def test_an_arithmetic_without_what_it_takes_back_is_the_one_without_the_change(made):
    assert arithmetic_for(made, "textbook+clamp=wraps+taken-back=clamp=wraps").name == "textbook"
    left = arithmetic_for(made, "textbook+clamp=wraps+bias-forgotten+taken-back=clamp=wraps")
    assert left.name == "textbook+bias-forgotten"
    assert left.changes == ("bias-forgotten",)
    assert arithmetic_for(made, "textbook") is ARITHMETICS["textbook"]


def test_what_is_not_changed_cannot_be_taken_back(made):
    assert arithmetic_for(made, "textbook+taken-back=clamp=wraps") is None
    assert arithmetic_for(made, "textbook+clamp=none+taken-back=clamp=wraps") is None
