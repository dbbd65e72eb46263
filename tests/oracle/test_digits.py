"""The digits classifier: every integer of 40 images, on every engine and CPU level."""

import pytest

from qdbg.capture import Request, capture
from qdbg.capture.level import machine_level
from qdbg.debugger import Debugger
from qdbg.names import ENGINES, LEVELS
from qdbg.samples import Sample
from qdbg.sets import sample_set
from tests.headless.conftest import ROOT

REACHED = LEVELS[: LEVELS.index(machine_level()) + 1]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_integer_of_the_digits_differs_and_no_call_is_refused(engine, level):
    if level not in REACHED:
        pytest.skip(f"this machine has no {level}")
    images = sample_set("digits").values[:40]
    request = Request(
        model=ROOT / "models" / "digits.pth", source=None, trust=False, engine=engine, cpu=level,
        sample=Sample("digits", images, "40 images"),
    )  # fmt: skip
    made = capture(request, lambda _: None, lambda: False)
    trace = Debugger(made).trace
    refused = [c.reason for c in trace.comparisons if c.reason and "oneDNN pairs" not in c.reason]
    assert made.environment.unperturbed
    assert trace.differences == 0
    assert not refused
