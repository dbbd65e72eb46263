"""Long work tells how far it is, and ends where nobody waits for it."""

import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.work import Cancelled, doing, heard_by, part
from qdbg.engine.diagnose import diagnose
from qdbg.engine.survey import survey
from qdbg.engine.trace import Trace
from tests.synthetic import recording


def test_what_nobody_listens_to_goes_on():
    doing("anything", 0, 1)


def test_the_parts_of_a_larger_work_are_counted_together():
    heard = []
    with heard_by(lambda *words: heard.append(words)), part(1, 3):
        doing("conv1", 2, 10)
    doing("conv2", 3, 10)
    assert heard == [("conv1", 12, 30)]


def stopping(at):
    heard = []

    def tell(what, done, total):
        heard.append((what, done, total))
        if len(heard) == at:
            raise Cancelled("enough")

    return heard, tell


def test_every_call_is_named_before_it_is_simulated():
    heard, tell = stopping(0)
    trace = Trace(recording(), ARITHMETICS["textbook"])
    with heard_by(tell):
        assert trace.comparisons
    assert [what for what, _, _ in heard] == [f"textbook: {node.name}" for node in trace.nodes]
    assert [done for _, done, _ in heard] == list(range(len(trace.nodes)))


def test_a_trace_that_was_stopped_is_the_same_when_it_is_asked_again():
    heard, tell = stopping(3)
    trace = Trace(recording(), ARITHMETICS["textbook"])
    with heard_by(tell), pytest.raises(Cancelled):
        trace.comparisons  # noqa: B018 - it works when it is looked at
    assert len(heard) == 3
    assert trace.comparisons == Trace(recording(), ARITHMETICS["textbook"]).comparisons


@pytest.mark.parametrize("work", ["survey", "diagnosis"])
def test_the_survey_and_the_diagnosis_can_be_stopped_half_way(work):
    made = recording()
    trace = Trace(made, ARITHMETICS["textbook"])
    call = next(i for i, c in enumerate(trace.comparisons) if c.differences)
    heard, tell = stopping(5)
    with heard_by(tell), pytest.raises(Cancelled):
        survey(made) if work == "survey" else diagnose(trace, call, made.values[call])
    assert len(heard) == 5
