"""`qdbg why` names the cause with its proof, or says that it does not know."""

import json
from dataclasses import replace

import numpy as np
import pytest

from qdbg.assumptions import registry
from qdbg.debugger import Debugger
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.evidence import evidence, with_changes
from qdbg.engine.separate import LEAST, separating_inputs
from qdbg.engine.together import CallWhy, Together, for_all, settled, smallest_unions
from qdbg.engine.trace import Trace
from qdbg.engine.verdict import Change, Diagnosis, Verdict
from qdbg.engine.why import why_golden, why_simulated
from qdbg.errors import CommandError
from qdbg.headless.why import list_text, why_data, why_text
from qdbg.samples import named_sample
from qdbg.session import Session, save
from tests.headless.conftest import MODEL, ROOT
from tests.synthetic import recording

MYSTERY = ROOT / "sessions" / "mystery.qdbg"
PUBLIC = ROOT / "sessions" / "public"


@pytest.fixture
def textbook():
    return why_simulated(Debugger(recording(), "textbook").trace)


def test_the_saturating_pairs_are_the_only_cause_of_the_mystery(qdbg):
    status, out, _ = qdbg("why", MYSTERY, "--json")
    data = json.loads(out)
    assert status == 1
    assert data["arithmetic"] == "textbook"
    assert [call["name"] for call in data["calls"]] == ["fc1:linear", "fc2:linear"]
    for call in data["calls"]:
        assert [cause["hypotheses"] for cause in call["causes"]] == [["pair-saturation"]]
        assert call["explained"]
    assert data["explained"]
    assert ["pair-saturation=fbgemm-avx2"] in data["together"]


def test_the_text_shows_the_pair_what_it_lost_and_what_that_is_worth(qdbg):
    _, out, _ = qdbg("why", MYSTERY)
    assert "cause  pair-saturation=fbgemm-avx2: leaves 0 of 16" in out
    assert "pair k=2,3: 159·(-128) + 143·(-128) = -38656, kept -32768, 5888 lost" in out
    assert "worth -20.67 steps of the result" in out
    assert "known from: x86's vpmaddubsw" in out
    assert "leaves 0 of 42 in the whole run" in out


def test_a_cause_is_a_proof_its_arithmetic_leaves_no_difference(textbook):
    assert textbook.calls
    for each in textbook.together:
        assert with_changes(textbook.trace, each.names).differences == 0


def test_the_evidence_is_the_element_that_differs_most(textbook):
    call = textbook.calls[0]
    target = textbook.trace.recording.values[call.call]
    (held,) = evidence(textbook.trace, call.call, call.diagnosis.causes[0])
    made = textbook.trace.simulation(call.call).result.astype(int)
    assert abs(made - target.astype(int)).max() == abs(held.before - held.after)
    assert held.after == target.reshape(-1)[held.element]
    assert "sat16" in held.changed_line.symbols
    assert held.terms.saturating


def test_the_last_line_names_all_variants_that_leave_nothing(textbook):
    sets = [("bias-units=input-scale",), ("bias-units=output-scale",), ("bias-forgotten",)]
    found = replace(textbook, together=tuple(Together(each, 0, 5, each) for each in sets))
    last = why_text(found).splitlines()[-3:]
    assert "bias-units=input-scale changed leaves 0 of 5" in last[0]
    assert last[1] == "  And so does bias-units=output-scale."
    assert "bias-forgotten changed leaves 0 of 5" in last[2]


def test_what_nothing_explains_is_called_unexplained():
    made = recording()
    wrong = made.values[1].copy()
    wrong[0, 3] ^= 64
    values = (made.values[0], wrong, *made.values[2:])
    found = why_simulated(Debugger(replace(made, values=values), "fbgemm-avx2").trace)
    text = why_text(found)
    assert not found.calls[0].explained
    assert "unexplained" in text
    assert "Unexplained: fc1:linear" in text
    assert "where: only channels 3 of 16" in text
    assert not why_data(found)["explained"]


def test_nothing_is_explained_where_nothing_differs(qdbg, tmp_path):
    path = tmp_path / "s.qdbg"
    save(Session.of(Debugger(recording())), path)
    status, out, _ = qdbg("why", path, "--arith", "auto")
    assert status == 0
    assert "Nothing differs: fbgemm-avx2 gives all of the captured integers." in out


def test_every_hypothesis_is_listed_with_its_id_and_its_source(qdbg):
    status, out, _ = qdbg("why", "--list")
    assert status == 0
    assert out.strip() == list_text()
    assert "pair-saturation" in out
    assert out.count("source:") > 25


def test_a_changed_assumption_is_an_arithmetic_that_every_command_takes(qdbg):
    status, out, _ = qdbg("show", MYSTERY, "--arith", "textbook+pair-saturation=fbgemm-avx2")
    assert status == 0
    assert "textbook+pair-saturation=fbgemm-avx2 gives every one of the 42 captured values" in out


def test_an_assumption_that_does_not_exist_is_refused():
    with pytest.raises(CommandError, match="why --list"):
        Debugger(recording(), "textbook+nonsense")


def test_without_a_model_it_says_what_to_name(qdbg):
    status, _, err = qdbg("why")
    assert status == 2
    assert "qdbg why MODEL" in err


POSTED = {
    "pytorch-44939": ["pair-saturation"],
    "pytorch-50720-conv2d": ["pair-saturation"],
    "pytorch-50720-linear": ["pair-saturation"],
    "pytorch-126521": ["pair-saturation"],
    "pytorch-76390-linear-114": ["pair-saturation"],
    "pytorch-76390-conv1d-113": ["pair-saturation"],
    "pytorch-37343": ["fixed-point-add"],
    "pytorch-56331": ["clamp"],
    "pytorch-53807": ["zero-padding"],
    "pytorch-92246": ["input-zero-point"],
    "forum-197716": ["input-zero-point", "narrow-accumulator"],
    "forum-141369": ["raw-integers"],
    "forum-69512": ["scale-forgotten"],
}
"""The sessions of public cases, and what was behind each."""
EITHER = {"pytorch-76390-linear-114", "pytorch-76390-conv1d-113"}
"""Two inputs are one pair: that it saturates and that the sum does is the same on any input."""
NOT_APART = {"pytorch-92246", "forum-69512"}
"""Arrays by hand are of one input alone, and on it several mistakes give the same."""


@pytest.mark.parametrize("name", POSTED)
def test_the_session_of_a_public_case_ends_with_its_cause(qdbg, name):
    path = PUBLIC / f"{name}.qdbg"
    golden = path.with_suffix(".npz")
    how = ("--golden", golden) if golden.exists() else ("--separate",)
    status, out, _ = qdbg("why", path, *how, "--json")
    (call,) = json.loads(out)["calls"]
    causes = [sorted(cause["hypotheses"]) for cause in call["causes"]]
    assert status == 1
    assert POSTED[name] in causes
    assert len(causes) == 1 or name in EITHER | NOT_APART


def test_every_public_case_has_its_session():
    assert {path.stem for path in PUBLIC.glob("*.qdbg")} == POSTED.keys()


def test_in_a_session_the_simulation_runs_the_separating_input_and_says_so(qdbg):
    _, out, _ = qdbg("why", PUBLIC / "pytorch-37343.qdbg", "--separate")
    assert "by the captured engine's arithmetic" in out
    assert "operand-parameters=first: ruled out" in out


def test_a_session_that_qdbg_does_not_simulate_cannot_run_another_input(qdbg, tmp_path):
    made = recording()
    other = [*made.values[:-1], made.values[-1] + np.float32(1)]
    path = tmp_path / "wrong.qdbg"
    save(Session.of(Debugger(replace(made, values=tuple(other)))), path)
    status, _, err = qdbg("why", path, "--separate")
    assert status == 2
    assert "Name the model" in err


def test_golden_integers_behind_the_relu_are_told_from_those_before_it():
    made = recording(rows=6)
    golden = {1: np.maximum(made.values[1].astype(int), 128)}
    found = why_golden(made, golden)
    assert found.calls[0].note == "these are PyTorch's integers of relu:relu"
    assert [v.ids for v in found.calls[0].diagnosis.causes] == [("captured-before-relu",)]


def test_a_golden_layer_that_only_follows_its_inputs_is_not_to_blame():
    made = recording(rows=6)
    exact = Trace(made, arithmetic_for(made, "fbgemm-vnni"), "simulated")
    golden = {call: exact.simulation(call).result for call in (1, 2, 3)}
    found = why_golden(made, golden)
    by_name = {call.name: call for call in found.calls}
    assert ("pair-saturation",) in [v.ids for v in by_name["fc1:linear"].diagnosis.causes]
    assert "follows from the differences of its inputs" in by_name["relu:relu"].note
    assert "follows from the differences of its inputs" in by_name["fc2:linear"].note


def test_an_input_is_found_on_which_tied_causes_differ():
    made = recording()
    trace = Debugger(made, "textbook").trace
    found = why_simulated(trace).calls[0].diagnosis
    tied = [v for v in found.tried if v.ids[0] in {"pair-saturation", "narrow-accumulator"}]
    best = separating_inputs(trace, 1, tied)
    assert best.fed
    assert 0 < best.tried <= LEAST


def test_why_ends_within_the_command_on_a_model(qdbg):
    status, out, _ = qdbg(
        "why", MODEL, "--sample", "versicolor", "--cpu", "avx2", "--separate", "--json"
    )
    data = json.loads(out)
    assert status == 1
    assert [c["causes"][0]["hypotheses"] for c in data["calls"]] == [["pair-saturation"]] * 2


def test_the_posts_own_script_has_exactly_its_two_causes(qdbg):
    status, out, _ = qdbg(
        *("why", MODEL, "--sample", "versicolor", "--engine", "fbgemm", "--cpu", "avx2"),
        *("--golden", MODEL.parent / "golden_iris.py", "--json"),
    )
    data = json.loads(out)
    first, second = data["calls"]
    assert status == 1
    assert data["together"] == [["captured-before-relu", "pair-saturation"]]
    assert first["name"] == "fc1:linear"
    assert first["causes"][0]["hypotheses"] == ["captured-before-relu", "pair-saturation"]
    assert [c["hypotheses"] for c in second["causes"]] == [["pair-saturation"]]
    relu, pairs = first["causes"][0]["evidence"]
    assert (relu["before"], relu["after"]) == (95, 128)
    assert (pairs["before"], pairs["after"]) == (154, 138)


def test_over_all_of_iris_the_posts_script_also_shows_that_it_rounds_the_bias(qdbg, tmp_path):
    rows = [named_sample(f"iris:{row}").values for row in range(150)]
    np.save(tmp_path / "iris.npy", np.concatenate(rows))
    _, out, _ = qdbg(
        *("why", MODEL, "--input", tmp_path / "iris.npy", "--engine", "fbgemm", "--cpu", "avx2"),
        *("--golden", MODEL.parent / "golden_iris.py", "--json"),
    )
    data = json.loads(out)
    assert data["together"][0] == ["captured-before-relu", "bias-rounded", "pair-saturation"]
    assert data["explained"]


def test_a_dump_of_other_layout_is_no_difference_and_named(qdbg, tmp_path):
    made = recording(rows=2)
    save(Session.of(Debugger(made)), tmp_path / "s.qdbg")
    np.savez(tmp_path / "dump.npz", fc1=made.values[1].astype(np.int64) - 128)
    status, out, _ = qdbg("why", tmp_path / "s.qdbg", "--golden", tmp_path / "dump.npz")
    assert status == 0
    assert "same numbers, other layout" in out


@pytest.mark.parametrize("numbers", [0, 77, "ends", "one between the ends"])
def test_a_golden_column_that_says_little_proves_no_cause(numbers):
    made = recording(rows=4)
    golden = np.where(made.values[1] > 128, 255, 0) if isinstance(numbers, str) else numbers
    golden = np.broadcast_to(golden, made.values[1].shape).astype(int)
    if numbers == "one between the ends":
        golden[1, 3] = 77
    found = why_golden(made, {1: golden})
    (call,) = found.calls
    data = why_data(found)
    assert not call.explained
    assert not found.together
    assert not data["explained"]
    assert "  cause  " not in why_text(found)


def test_what_gives_a_constant_column_is_told_with_the_doubt_about_it(qdbg):
    path = PUBLIC / "forum-69512.qdbg"
    _, out, _ = qdbg("why", path, "--golden", path.with_suffix(".npz"))
    assert "cannot tell: all 4 numbers are 255, which many mistakes give" in out
    assert "fits   scale-forgotten" in out
    assert "Not proved: layer:conv2d." in out


def diagnosed(*ids, doubt=""):
    """A call with these single causes."""
    causes = tuple(Verdict((Change(registry()[id_], ""),), 0, 9) for id_ in ids)
    return CallWhy(0, "fc", 3, 9, 2, Diagnosis(0, 3, 9, causes, causes, True, doubt))


def test_a_column_that_says_little_is_explained_by_the_cause_of_the_other_calls():
    little = diagnosed("clamp", "bias-forgotten", doubt="all numbers are 0")
    known, other = diagnosed("bias-forgotten"), diagnosed("relu-missing")
    unions = smallest_unions((known, little))
    by_known = settled((known, little), unions)
    assert unions == (("bias-forgotten",),)
    assert [v.ids for v in by_known[1].diagnosis.causes] == [("bias-forgotten",)]
    assert for_all(by_known, unions) == unions
    by_other = settled((other, little), smallest_unions((other, little)))
    assert not by_other[1].explained
    assert not for_all(by_other, smallest_unions((other, little)))
