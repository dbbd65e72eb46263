"""`qdbg why` names the cause with its proof, or says that it does not know."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import Environment, Node, Program, Recording
from qdbg.core.quantity import QParams, QTensor
from qdbg.debugger import Debugger
from qdbg.engine.evidence import evidence, with_changes
from qdbg.engine.together import Together
from qdbg.engine.trace import Trace
from qdbg.engine.why import why_golden, why_simulated
from qdbg.errors import CommandError
from qdbg.headless.why import list_text, why_text
from qdbg.headless.why_data import why_data
from qdbg.session import Session, save
from tests.golden.conftest import image_recording
from tests.headless.conftest import MODEL, ROOT
from tests.synthetic import recording, with_unknown_op

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


def test_float_numbers_are_told_in_as_many_digits_as_tell_them_apart():
    q = np.random.default_rng(0).integers(-(2**30), 2**30, (1, 40)).astype(np.int32)
    node = Node("x:dequantize", "dequantize", "", None, (-3,), q.shape, "float32", None)
    made = Recording(
        model="float", sha256="", sample="random", input=np.zeros(0, np.float32),
        environment=Environment("fbgemm", "avx2", "2.13.0", "", "", True),
        program=Program((node,), {}), values=(np.zeros(q.shape, np.float32),),
        constants=(QTensor(q, QParams.per_tensor(0.3, 0, "qint32")),),
    )  # fmt: skip
    made = replace(made, values=(Trace(made, ARITHMETICS["fbgemm-avx2"]).simulation(0).result,))
    trace = Trace(made, ARITHMETICS["textbook"])
    (told,) = re.findall("proof .*: (.*) becomes (.*)", why_text(why_simulated(trace)))
    before, after = map(np.float32, told)
    assert before != after
    assert after in made.values[0]


def test_the_last_line_names_all_variants_that_leave_nothing(textbook):
    sets = [("bias-units=input-scale",), ("bias-units=output-scale",), ("bias-forgotten",)]
    found = replace(textbook, together=tuple(Together(each, 0, 5, each) for each in sets))
    last = why_text(found).splitlines()[-3:]
    assert "bias-units=input-scale changed leaves 0 of 5" in last[0]
    assert last[1] == "  And so does bias-units=output-scale."
    assert "bias-forgotten changed leaves 0 of 5" in last[2]


def test_what_nothing_explains_is_called_unexplained():
    made = recording(rows=3)
    wrong = made.values[1].copy()
    wrong[:, 3] ^= 64
    values = (made.values[0], wrong, *made.values[2:])
    found = why_simulated(Debugger(replace(made, values=values), "fbgemm-avx2").trace)
    text = why_text(found)
    assert not found.calls[0].explained
    assert "unexplained" in text
    assert "Unexplained: fc1:linear" in text
    assert "where: only channel 3 of 16" in text
    assert not why_data(found)["explained"]


def test_the_changes_that_leave_less_are_listed_and_no_others():
    made = recording(rows=6)
    golden = Trace(made, ARITHMETICS["fbgemm-vnni"]).simulation(1).result.copy()
    golden[0, 3] ^= 64
    found = why_golden(made, {1: golden})
    (call,) = found.calls
    text = why_text(found)
    shown = text.partition("What leaves least:\n")[2].partition("\n\n")[0].splitlines()
    left = [int(line.split()[-3]) for line in shown]
    assert call.diagnosis.unchanged == call.differences
    assert left
    assert left == sorted(left)
    assert left[-1] < call.differences <= call.diagnosis.tried[-1].left


def test_changes_that_leave_nothing_less_are_not_listed():
    made = recording(rows=3)
    wrong = made.values[4].copy()
    wrong[0, 1] += 0.125
    found = why_golden(made, {4: wrong})
    (call,) = found.calls
    assert min(verdict.left for verdict in call.diagnosis.tried) >= 1
    text = why_text(found)
    assert "  leaves nothing.\n" in text
    assert "leaves least" not in text


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


def test_why_ends_within_the_command_on_a_model(qdbg):
    status, out, _ = qdbg(
        "why", MODEL, "--sample", "versicolor", "--cpu", "avx2", "--separate", "--json"
    )
    data = json.loads(out)
    assert status == 1
    assert [c["causes"][0]["hypotheses"] for c in data["calls"]] == [["pair-saturation"]] * 2


def test_the_proof_of_an_image_says_in_which_order_its_axes_are():
    trace = Trace(image_recording(), ARITHMETICS["fbgemm-avx2"])
    found = next(each for each in why_simulated(trace).calls if each.diagnosis is not None)
    (held, *_) = evidence(trace, found.call, found.diagnosis.causes[0])
    assert held.place == "nhwc " + ",".join(map(str, held.index))


def test_a_single_call_that_is_not_simulated_is_spoken_of_as_one():
    found = why_simulated(Trace(with_unknown_op(recording()), ARITHMETICS["textbook"]))
    assert found.calls
    assert "1 call is not simulated." in why_text(found)
