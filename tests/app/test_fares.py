"""What is said of an arithmetic that does not simulate every call: of how many values."""

import pytest

from qdbg.app.choices import arithmetics
from qdbg.app.faring import survey_lines
from qdbg.debugger import Debugger
from qdbg.engine.survey import Fare, leaving_least
from qdbg.headless import show
from tests.synthetic import recording

TEXTBOOK = Fare(("textbook",), "", 3, 42, 61, frozenset())
NOTHING = Fare(("qnnpack-avx2",), "QNNPACK", 0, 0, 0, frozenset(range(5)))


def captured(differences=0, skipped=()):
    """That of the engine that PyTorch ran with."""
    return Fare(("fbgemm-avx2",), "FBGEMM", differences, 39, 5, frozenset(skipped))


@pytest.fixture
def debugger():
    return Debugger(recording(), "textbook")


def text(debugger, monkeypatch, *fares):
    monkeypatch.setattr(show, "survey", lambda *_: fares)
    return show.show_text(debugger.trace).splitlines()[-1]


def test_the_verdict_counts_what_the_other_arithmetic_simulates(debugger, monkeypatch):
    said = text(debugger, monkeypatch, TEXTBOOK, captured(skipped=[3]))
    assert said == (
        "3 of 42 captured values differ under textbook; "
        "fbgemm-avx2 gives every one of the 39 that it simulates."
    )
    said = text(debugger, monkeypatch, TEXTBOOK, captured(2, skipped=[3]))
    assert said.endswith("fbgemm-avx2 leaves 2 of the 39 that it simulates.")


def test_an_arithmetic_that_skips_no_other_calls_gives_every_one(debugger, monkeypatch):
    own = Fare(("textbook",), "", 3, 39, 61, frozenset({3}))
    said = text(debugger, monkeypatch, own, captured(skipped=[3]))
    assert "fbgemm-avx2 gives every one of them." in said


def test_an_arithmetic_that_simulates_nothing_is_never_the_best(debugger):
    name, best = leaving_least(debugger.recording, (NOTHING, TEXTBOOK))
    assert (name, best) == ("textbook", TEXTBOOK)


def test_the_app_says_the_same_of_how_many(debugger):
    fares = (TEXTBOOK, captured(skipped=[3]), NOTHING)
    said = survey_lines(debugger, fares, 120).plain
    assert "fbgemm-avx2 leaves none of the 39 that it simulates" in said
    assert "✓ of 39 fbgemm-avx2" in said
    assert "○ qnnpack" in said


def test_the_app_claims_nothing_of_an_arithmetic_that_simulates_nothing():
    debugger = Debugger(recording(), "qnnpack-avx2")
    said = survey_lines(debugger, (NOTHING, TEXTBOOK), 120).plain
    assert "equal" not in said
    assert "nothing could be compared, 5 calls not simulated" in said


def test_the_list_of_arithmetics_says_of_how_many_each_number_is(debugger):
    listed = arithmetics(debugger, (TEXTBOOK, captured(skipped=[3])))
    rows = [choice.row.cells for choice in listed.choices.choices]
    assert [row[-2] for row in rows] == ["≠ 3 of 42", "✓ 0 of 39"]
    assert "42 values compared" not in listed.hint


def test_a_single_value_is_spoken_of_as_one(debugger, monkeypatch):
    one = Fare(("textbook",), "", 0, 1, 0, frozenset(range(4)))
    said = survey_lines(debugger, (one,), 120).plain
    assert "the only value equals PyTorch's under textbook" in said
    assert "textbook gives the only captured value." in text(debugger, monkeypatch, one)
