"""What people posted as PyTorch's mistake, and found out to be their own: the cause comes out."""

import numpy as np
import pytest

from qdbg.engine.why import why_golden
from tests.assumptions.posted import recording
from tests.oracle.posted import CASES

CAUSES = {
    "saturating pairs are not modelled": ("fbgemm-avx2", ("pair-saturation",)),
    "the result is not clamped to quint8": ("fbgemm-vnni", ("clamp",)),
    "added in float where QNNPACK adds in fixed point": ("qnnpack-vnni", ("fixed-point-add",)),
    "padded with the byte 0 instead of the zero point": ("x86-vnni", ("zero-padding",)),
    "x_zp is not subtracted, and the sum wraps in int16": (
        "onednn-vnni",
        ("input-zero-point", "narrow-accumulator"),
    ),
    "raw integers added without dequantizing": ("fbgemm-vnni", ("raw-integers",)),
    "the accumulator is divided by the output's scale alone": (
        "fbgemm-vnni",
        ("scale-forgotten",),
    ),
    "zero points not subtracted": ("fbgemm-vnni", ("input-zero-point",)),
}
"""By mistake: an arithmetic under which it shows, and the hypotheses that name it."""
KNOWN = [name for name, make in CASES.items() if make().mistake in CAUSES]
UNKNOWN = {
    "the quotient wraps in int32 before it is clamped",
    "the result is not rounded to a step of the output",
    "multiplied by the float weights, not by the integers",
}
"""What no single assumption on integers says: float weights are not in a quantized model."""


def explained(name):
    posted = CASES[name]()
    arithmetic, ids = CAUSES.get(posted.mistake, ("fbgemm-vnni", ()))
    made = recording(posted, arithmetic)
    golden = np.asarray(posted.by_hand, np.float64).reshape(made.values[0].shape)
    return made, ids, why_golden(made, {0: golden})


@pytest.mark.parametrize("name", KNOWN)
def test_the_posted_integers_are_explained_by_what_was_done_by_hand(name):
    _, ids, found = explained(name)
    (call,) = found.calls
    causes = [verdict.ids for verdict in call.diagnosis.causes]
    assert ids in causes
    assert call.diagnosis.answers[0][0].ids == ids or len(call.diagnosis.answers) > 1


@pytest.mark.parametrize("name", [n for n in KNOWN if "saturating" in CASES[n]().mistake])
def test_of_several_causes_the_usual_one_is_named_first(name):
    _, ids, found = explained(name)
    assert found.calls[0].diagnosis.answers[0][0].ids == ids


def test_every_mistake_is_explained_or_known_to_be_beyond_a_changed_assumption():
    mistakes = {make().mistake for make in CASES.values()} - {""}
    assert mistakes == CAUSES.keys() | UNKNOWN
