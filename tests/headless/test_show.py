"""`show` states the same facts as text and as JSON, in every encoding."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest

from qdbg.debugger import Debugger
from qdbg.errors import CommandError
from qdbg.headless import output
from qdbg.headless.drill import element_text
from qdbg.headless.show import show_data, show_text
from qdbg.session import Session, save
from qdbg.whatif import effect
from tests.headless.conftest import MODEL, explored
from tests.synthetic import recording, with_unknown_op

CALL = ["name", "op", "module", "source", "shape", "dtype", "status", "reason", "differences"]


@pytest.fixture
def textbook():
    return Debugger(recording(), "textbook").trace


@pytest.fixture
def own():
    return Debugger(recording()).trace


def test_json_has_exactly_the_documented_keys(textbook):
    data = json.loads(output.json_text(show_data(textbook)))
    assert list(data) == ["qdbg", "model", "capture", "arithmetic", "differences", "calls"]
    assert list(data["model"]) == ["path", "sha256"]
    assert set(data["capture"]) == {
        "engine", "cpu", "torch", "unperturbed", "processor", "kernel", "threads",
    }  # fmt: skip
    assert [list(call) for call in data["calls"]] == [[*CALL, "max_delta"]] * 5
    fc1 = data["calls"][1]
    assert (fc1["name"], fc1["module"], fc1["op"]) == ("fc1:linear", "fc1", "linear")
    assert (fc1["source"], fc1["shape"], fc1["dtype"]) == ("iris_qat.py:22", [1, 16], "quint8")
    assert fc1["status"] == "differs"
    assert data["differences"] == sum(call["differences"] for call in data["calls"])


def test_values_are_nested_as_the_shape(textbook):
    data = json.loads(output.json_text(show_data(textbook, values=True)))
    for call, value in zip(data["calls"], textbook.recording.values, strict=True):
        assert np.array(call["captured"]).shape == tuple(call["shape"])
        assert np.array_equal(np.array(call["captured"], value.dtype), value)
        unequal = np.count_nonzero(np.array(call["simulated"]) != np.array(call["captured"]))
        assert unequal == call["differences"]


def test_a_call_that_is_not_simulated_says_why_and_has_no_simulated_values():
    trace = Debugger(with_unknown_op(recording())).trace
    call = show_data(trace, values=True)["calls"][2]
    assert (call["status"], call["simulated"]) == ("not simulated", None)
    assert "aten.sigmoid" in call["reason"]
    assert "relu:relu is not simulated: qdbg does not know" in show_text(trace)


def test_what_json_lacks_is_written_as_strings():
    text = output.json_text({"a": [float("nan"), (float("inf"), 1.5)], "b": -float("inf")})
    assert json.loads(text) == {"a": ["NaN", ["Infinity", 1.5]], "b": "-Infinity"}


def test_values_beyond_json_are_compared_all_the_same():
    made = recording()
    odd = made.values[4].copy()
    odd[0] = (np.nan, np.inf, -np.inf)
    trace = Debugger(replace(made, values=(*made.values[:4], odd))).trace
    data = json.loads(output.json_text(show_data(trace, values=True)))
    assert data["calls"][4]["captured"] == [["NaN", "Infinity", "-Infinity"]]
    assert data["calls"][4]["differences"] == 3
    assert "dequant:dequantize[0]" in show_text(trace)


def test_the_text_has_a_line_per_call_the_elements_every_arithmetic_and_a_verdict(textbook):
    text = show_text(textbook, "standardized")
    assert "sample     versicolor: standardized" in text
    assert "≠  fc1:linear          Linear 4→16  1×16    quint8   differs  3 of 16" in text
    assert "✓  relu:relu" in text
    assert "fc1:linear[2]   captured 133  simulated  72  Δ -61" in text
    assert "textbook:" in text
    assert "3 of 42 differ, max |Δ| 61" in text
    assert text.endswith(
        "3 of 42 captured values differ under textbook; fbgemm-avx2 gives every one of them."
    )


def test_the_verdict_where_all_is_equal(own):
    assert show_text(own).endswith("fbgemm-avx2 gives every one of the 42 captured values.")


def test_a_run_that_observing_changed_is_not_trusted(own):
    environment = replace(own.recording.environment, unperturbed=False)
    trace = Debugger(replace(own.recording, environment=environment)).trace
    assert "observing changed the result" in show_text(trace)
    assert show_text(trace).endswith("trust neither.")


# ------------------------------------------------------------------------------ one element


def test_an_element_is_shown_with_its_saturating_pair_and_the_whole_way(own, textbook):
    text = element_text(own, "fc1:linear[2]")
    assert "1 pair saturates" in text or "2 pairs saturate" in text
    assert "steps of the result" in text
    assert " ↑" in text or " ↓" in text
    assert "y_q[2] = min(max(" in text
    assert "M[2] = " in text
    other = element_text(textbook, "fc1:linear[2]")
    assert "captured 133   simulated 72   Δ -61" in other


def test_the_lost_part_is_the_difference_of_the_sums(own):
    lines = element_text(own, "fc1.mac[2]").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("k "))
    rows = [line.replace("↑", "").replace("↓", "").split() for line in lines[start + 1 : start + 5]]
    lost = sum(int(row[6]) for row in rows if len(row) == 8)
    assert lost == sum(int(row[3]) for row in rows) - int(rows[-1][7])
    assert any(f": {lost} is lost from the sum" in line for line in lines)


def test_a_centred_input_has_no_products_and_one_formula(textbook):
    text = element_text(textbook, "fc1.centre[2]")
    assert "x_c[2] = " in text
    assert "running sum" not in text
    assert "acc[" not in text


@pytest.mark.parametrize("place", ["fc1:linear", "fc9[1]", "fc1[99]", "", "fc1:linear[0,99]"])
def test_an_element_that_is_not_there_is_refused(own, place):
    with pytest.raises(CommandError, match="names no element"):
        element_text(own, place)


def test_an_element_of_a_call_that_is_not_simulated_has_its_captured_value():
    trace = Debugger(with_unknown_op(recording())).trace
    assert "; not simulated: qdbg does not know" in element_text(trace, "relu:relu[3]")


# -------------------------------------------------------------------------- the command line


def test_a_session_is_shown_under_its_last_arithmetic_or_the_one_asked_for(session_file, qdbg):
    status, out, _ = qdbg("show", session_file)
    assert status == 0
    assert "simulated  fbgemm-avx2, each call fed PyTorch's integers" in out
    status, out, _ = qdbg("show", session_file, "--arith", "textbook", "--feed", "simulated")
    assert status == 1
    assert "simulated  textbook, each call fed the simulated integers" in out


def test_a_call_that_is_not_simulated_gives_status_3(tmp_path, qdbg):
    path = tmp_path / "s.qdbg"
    save(Session.of(explored(with_unknown_op(recording()), ("arithmetic auto",))), path)
    assert qdbg("show", path)[0] == 3


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "shift_jis"])
def test_an_encoding_without_qdbgs_signs_gets_plain_ones(encoding, textbook, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(output.sys, "stdout", io.TextIOWrapper(raw, encoding))
    output.write(show_text(textbook))
    output.write(element_text(textbook, "fc1:linear[2]"))
    assert b"fc1:linear" in raw.getvalue()


def test_control_characters_of_a_file_do_not_reach_the_terminal(own, capsys):
    output.write(show_text(Debugger(replace(own.recording, sample="\x1b[2Jx")).trace))
    assert "\x1b" not in capsys.readouterr().out


# ---------------------------------------------------------------------------- the real thing


def test_a_real_model_is_shown_as_the_reference_says(qdbg):
    status, out, err = qdbg(
        "show", MODEL, "--sample", "versicolor", "--engine", "fbgemm", "--cpu", "avx2", "--json"
    )
    data = json.loads(out)
    assert (status, err, data["differences"]) == (0, "", 0)
    assert data["arithmetic"] == "fbgemm-avx2"
    assert data["capture"]["unperturbed"] is True
    assert data["capture"]["kernel"] == "saturating pairs"


def test_without_a_terminal_the_plain_command_shows_too(qdbg):
    status, out, _ = qdbg(MODEL, "--input", "-1,2,3,40", "--arith", "textbook")
    assert status in {0, 1}
    assert "sample     --input -1,2,3,40: your numbers, taken as already scaled" in out


def test_a_model_without_source_is_shown_as_layers_with_what_is_missing(tmp_path, qdbg):
    path = tmp_path / "alone.pth"
    path.write_bytes(MODEL.read_bytes())
    status, out, _ = qdbg("show", path)
    assert status == 3
    assert "fc1      Linear      int8 16×4" in out
    assert "Give the Python file that defines IrisNet: --source FILE" in out
    status, out, _ = qdbg("show", path, "--json")
    data = json.loads(out)
    assert (status, data["capture"], data["calls"]) == (3, None, [])
    assert [layer["path"] for layer in data["layers"]][:3] == ["", "quant", "fc1"]


def test_a_changed_run_is_counted_beside_its_original(own):
    """The other arithmetics' counts are the original run's: they say nothing of a changed one."""
    debugger = Debugger(own.recording)
    debugger.execute("set fc1.b[0] = 9")
    shown = show_text(debugger.trace)
    assert "every arithmetic on this input" not in shown
    assert shown.splitlines()[-1] == f"what if: {effect(debugger.trace)}."
