"""`qdbg why --golden` names what a golden model does otherwise, or says that it cannot tell."""

import json
import re

import numpy as np
import pytest

from qdbg.assumptions import registry
from qdbg.debugger import Debugger
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.together import CallWhy, for_all, settled, smallest_unions
from qdbg.engine.trace import Trace
from qdbg.engine.verdict import Change, Diagnosis, Verdict
from qdbg.engine.why import why_golden, why_simulated
from qdbg.headless.why import why_text
from qdbg.headless.why_data import why_data
from qdbg.samples import named_sample
from qdbg.session import Session, save
from tests.headless.conftest import MODEL, ROOT
from tests.synthetic import recording, with_unknown_op

PUBLIC = ROOT / "sessions" / "public"


def test_golden_integers_behind_the_relu_are_told_from_those_before_it():
    made = recording(rows=6)
    golden = {1: np.maximum(made.values[1].astype(int), 128)}
    found = why_golden(made, golden)
    assert found.calls[0].note == "these are PyTorch's integers of relu:relu"
    assert [v.ids for v in found.calls[0].diagnosis.causes] == [("captured-before-relu",)]


def test_integers_of_another_call_have_no_far_fetched_cause():
    made = recording(rows=6)
    golden = {4: made.values[3].astype(np.float32)}  # never dequantized
    found = why_golden(made, golden)
    (call,) = found.calls
    text = why_text(found)
    assert call.note == "these are PyTorch's integers of fc2:linear"
    assert not found.answers(call)
    assert not found.together
    assert "cause" not in text
    assert "nexplained" not in text
    assert found.exit_status == 1


def test_a_golden_layer_that_only_follows_its_inputs_is_not_to_blame():
    made = recording(rows=6)
    exact = Trace(made, arithmetic_for(made, "fbgemm-vnni"), "simulated")
    golden = {call: exact.simulation(call).result for call in (1, 2, 3)}
    found = why_golden(made, golden)
    by_name = {call.name: call for call in found.calls}
    assert ("pair-saturation",) in [v.ids for v in by_name["fc1:linear"].diagnosis.causes]
    assert "follows from the differences of its inputs" in by_name["relu:relu"].note
    assert "follows from the differences of its inputs" in by_name["fc2:linear"].note


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


@pytest.fixture
def why_dump(qdbg, tmp_path):
    """`qdbg why` of a session of the small classifier beside a dump of fc1 changed by `how`."""

    def run(how, *argv):
        made = recording(rows=2)
        save(Session.of(Debugger(made)), tmp_path / "s.qdbg")
        np.savez(tmp_path / "dump.npz", fc1=how(made.values[1].astype(np.int64)))
        status, out, _ = qdbg("why", tmp_path / "s.qdbg", "--golden", tmp_path / "dump.npz", *argv)
        return status, out

    return run


def test_a_dump_of_other_layout_is_no_difference_and_named(why_dump):
    status, out = why_dump(lambda q: q - 128)
    assert status == 0
    assert "fc1:linear: same numbers, written 128 lower than PyTorch's" in out
    assert "Nothing differs" in out


def test_numbers_that_differ_are_not_called_the_same(why_dump):
    def one_wrong(q):
        q[1, 2] += 1
        return q - 128

    status, out = why_dump(one_wrong)
    assert status == 1
    assert "fc1:linear: read as if written 128 lower than PyTorch's" in out
    assert "same numbers" not in out


def test_a_wrong_number_beside_an_order_of_its_own_hides_neither(why_dump):
    def one_wrong(q):
        q[1, 2] += 1
        return q.reshape(-1)[::-1]

    status, out = why_dump(one_wrong)
    assert status == 1
    assert re.search("not in PyTorch's places: .. of 32 differ as they stand, 1 read in rev", out)


def test_numbers_out_of_place_are_never_called_equal(why_dump):
    status, out = why_dump(lambda q: q.reshape(-1)[::-1])
    assert status == 0
    assert "of 32 differ as they stand, none read in reversed order" in out
    assert "Of fc1:linear only the order differs: the numbers are not in PyTorch's places." in out
    assert "Nothing differs" not in out
    assert "same numbers" not in out
    assert json.loads(why_dump(lambda q: q.T, "--json")[1])["misplaced"] == ["fc1:linear"]


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


def test_float32_numbers_are_not_called_integers():
    made = recording()
    assert made.values[4].dtype == np.float32
    assert "all of your numbers" in why_text(why_golden(made, {4: made.values[4]}))
    text = why_text(why_golden(made, {1: made.values[1]}))
    assert "your integers, against" in text
    assert "all of your integers" in text


def test_of_equal_numbers_of_a_call_that_is_not_simulated_no_arithmetic_is_said_to_give_them():
    made = with_unknown_op(recording())
    found = why_golden(made, {2: made.values[2]})
    text = why_text(found)
    assert "Nothing differs: PyTorch gives all of your" in text
    assert "1 call is not simulated." in text
    assert found.exit_status == 3
    simulated = why_text(why_simulated(Debugger(made, "fbgemm-avx2").trace))
    assert "Nothing differs of what fbgemm-avx2 simulates." in simulated
    assert why_golden(made, {1: made.values[1]}).exit_status == 0
