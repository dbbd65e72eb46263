"""`qdbg why --separate` tells causes apart by another input."""

from dataclasses import replace

import numpy as np

from qdbg.debugger import Debugger
from qdbg.engine.separate import LEAST, separating_inputs
from qdbg.engine.why import why_simulated
from qdbg.session import Session, save
from tests.headless.conftest import ROOT
from tests.synthetic import recording

PUBLIC = ROOT / "sessions" / "public"


def test_in_a_session_the_simulation_runs_the_separating_input_and_says_so(qdbg):
    _, out, _ = qdbg("why", PUBLIC / "pytorch-37343.qdbg", "--separate")
    assert "by the captured engine's arithmetic" in out
    assert "operand-parameters=first: ruled out" in out
    assert out.rstrip().endswith(
        "textbook with fixed-point-add changed leaves 0 of 1 in the whole run."
    )


def test_a_session_that_qdbg_does_not_simulate_cannot_run_another_input(qdbg, tmp_path):
    made = recording()
    other = [*made.values[:-1], made.values[-1] + np.float32(1)]
    path = tmp_path / "wrong.qdbg"
    save(Session.of(Debugger(replace(made, values=tuple(other)))), path)
    status, _, err = qdbg("why", path, "--separate")
    assert status == 2
    assert "Name the model" in err


def test_an_input_is_found_on_which_tied_causes_differ():
    made = recording()
    trace = Debugger(made, "textbook").trace
    found = why_simulated(trace).calls[0].diagnosis
    tied = [v for v in found.tried if v.ids[0] in {"pair-saturation", "narrow-accumulator"}]
    best = separating_inputs(trace, 1, tied)
    assert best.fed
    assert 0 < best.tried <= LEAST


def test_variants_of_one_hypothesis_are_told_apart_too():
    trace = Debugger(recording(), "textbook").trace
    found = why_simulated(trace).calls[0].diagnosis
    tied = [verdict for verdict in found.tried if verdict.ids == ("rounding",)]
    assert len(tied) > 2
    best = separating_inputs(trace, 1, tied)
    assert best.fed
    assert best.tried <= LEAST
