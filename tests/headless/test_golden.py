"""`show --golden`: a row and the differing elements of each call that the user's file covers."""

import json
import re

import numpy as np
import pytest

from qdbg import golden
from qdbg.debugger import Debugger
from qdbg.headless.golden import golden_element
from qdbg.headless.show import show_data, show_text
from tests.golden.conftest import image_recording
from tests.headless.conftest import MODEL, ROOT
from tests.headless.test_show import CALL
from tests.synthetic import recording

POST = ROOT / "models" / "golden_iris.py"
AVX2 = ("show", MODEL, "--sample", "versicolor", "--engine", "fbgemm", "--cpu", "avx2")


@pytest.fixture
def dumped(tmp_path):
    """A dump of fc1 with two numbers changed, and of the signed bytes of fc2."""
    made = recording()
    fc1 = made.values[1].astype(np.int32)
    fc1[0, 2] -= 3
    fc1[0, 9] += 7
    path = tmp_path / "dump.npz"
    np.savez(path, fc1=fc1, fc2=made.values[3].view(np.int8))
    return path


def test_the_text_has_a_row_per_covered_call_and_the_first_elements(dumped):
    made = recording()
    text = show_text(Debugger(made).trace, golden=golden.load(dumped, made))
    assert f"golden     {dumped}\n" in text
    rows = [" ".join(line.split()) for line in text.splitlines() if "dump.npz: " in line]
    assert rows == [
        "≠ fc1:linear dump.npz: fc1 2 of 16 7",
        "✓ fc2:linear dump.npz: fc2 0 of 3 0 same numbers, written as int8 bytes",
    ]
    assert "fc1:linear[2]  captured 133  golden 130  Δ -3\n" in text
    assert "fc1:linear[9]  captured" in text
    assert text.endswith("2 of 19 golden values differ from PyTorch's, over 2 of 5 calls.")


def test_json_has_the_documented_keys(dumped):
    made = recording()
    data = show_data(Debugger(made).trace, golden=golden.load(dumped, made))
    calls = data["calls"]
    assert [list(call) for call in calls] == [[*CALL, "max_delta", "golden"]] * 5
    assert calls[1]["golden"] == {
        "source": "dump.npz: fc1", "differences": 2, "max_delta": 7, "layout": None,
        "in_place": True,
    }  # fmt: skip
    assert calls[3]["golden"]["layout"] == "as int8 bytes"
    assert calls[0]["golden"] is calls[2]["golden"] is calls[4]["golden"] is None
    assert data["differences"] == 0


def test_values_lists_the_golden_ones(dumped):
    made = recording()
    data = show_data(Debugger(made).trace, values=True, golden=golden.load(dumped, made))
    mine, captured = (np.array(data["calls"][1][k]) for k in ("captured", "simulated"))
    listed = np.array(data["calls"][1]["golden"]["values"])
    assert np.array_equal(mine, captured)
    assert np.argwhere(listed != captured).tolist() == [[0, 2], [0, 9]]


def test_an_element_of_an_image_is_the_same_in_both_orders(tmp_path):
    made = image_recording()
    values = np.arange(48).reshape(1, 4, 3, 4)
    np.savez(tmp_path / "a.npz", **{"block.0.conv": values})
    found = golden.load(tmp_path / "a.npz", made)
    trace = Debugger(made).trace
    text = golden_element(found, trace, "block.0.conv[0,1,2,3]")  # n, h, w, c
    assert text.startswith(f"golden {values[0, 3, 1, 2]}   Δ ")
    assert int(text.split()[3]) == values[0, 3, 1, 2] - int(made.values[1][0, 3, 1, 2])
    assert golden_element(found, trace, "block.1.conv[0,0,0,0]") is None
    assert golden_element(found, trace, "block.0.conv.mac[0,0,0,0]") is None


# --------------------------------------------------------------------------- the command line


def test_a_session_and_a_dump_that_is_equal_end_with_0(session_file, tmp_path, qdbg):
    np.savez(tmp_path / "same.npz", fc1=recording().values[1][:, ::-1])
    status, out, err = qdbg(
        "show", session_file, "--arith", "auto", "--golden", tmp_path / "same.npz"
    )
    assert (status, err) == (0, "")
    assert " 0 of 16 " in " ".join(out.split())
    assert "as they stand, none read in reversed order" in out
    assert "of 1 of 5 calls, but not in PyTorch's places: fc1:linear." in out


def test_a_wrong_number_hides_no_order_that_is_not_pytorchs(session_file, tmp_path, qdbg):
    wrong = recording().values[1][:, ::-1].copy()
    wrong[0, 3] ^= 64
    np.savez(tmp_path / "wrong.npz", fc1=wrong)
    status, out, _ = qdbg("show", session_file, "--golden", tmp_path / "wrong.npz")
    assert status == 1
    assert re.search("1 of 16 golden values .* 1 of 5 calls; not in PyTorch's places: fc1:l", out)


def test_a_golden_difference_ends_with_1(session_file, dumped, qdbg):
    argv = ("show", session_file, "--arith", "auto", "--golden", dumped)
    assert qdbg(*argv)[0] == 1
    status, out, _ = qdbg(*argv, "--json")
    assert (status, json.loads(out)["calls"][1]["golden"]["differences"]) == (1, 2)
    status, out, _ = qdbg(*argv, "--element", "fc1[2]")
    assert status == 1
    assert out.endswith("golden 130   Δ -3   (dump.npz: fc1)\n")


def test_what_the_users_code_prints_and_raises_goes_to_stderr(session_file, tmp_path, qdbg):
    path = tmp_path / "golden.py"
    path.write_text("print('hello')\ndef fc2(x_q):\n    return [1, 2, 3]\n")
    status, out, err = qdbg("show", session_file, "--golden", path, "--json")
    assert (status, err) == (1, "hello\n")
    assert json.loads(out)["calls"][3]["golden"]["source"] == "golden.py line 2, fc2"
    path.write_text("print('hello')\ndef fc2(x_q):\n    return x_q / w\n")
    status, out, err = qdbg("show", session_file, "--golden", path)
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "hello",
        f"{path}, line 3, in fc2 on fc2:linear: NameError: name 'w' is not defined",
        "return x_q / w",
    ]


def test_the_users_time_is_bounded(session_file, tmp_path, qdbg):
    path = tmp_path / "golden.py"
    path.write_text("while True:\n    pass\n")
    status, _, err = qdbg("show", session_file, "--golden", path, "--golden-timeout", "0.2")
    assert status == 2
    assert "it was not done after 0.2 s" in err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--golden", "none.npz"), "there is no golden file none.npz"),
        (
            ("--golden", POST, "--golden-timeout", "0"),
            "--golden-timeout 0 (expected more than 0",
        ),
        (
            ("--golden", POST, "--golden-timeout", "nan"),
            "--golden-timeout nan (expected more than 0",
        ),
        (("--golden", POST, "--golden-timeout", "soon"), "invalid float value"),
        (("--golden-timeout", "5"), "give --golden"),
    ],
)
def test_bad_usage_is_refused_before_anything_runs(argv, words, session_file, qdbg):
    status, out, err = qdbg("show", session_file, *argv)
    assert (status, out) == (2, "")
    assert words in err


# ---------------------------------------------------------------------------------- the post


def test_the_posts_script_differs_by_its_relu_and_by_saturating_pairs(qdbg):
    """Where PyTorch stands before ReLU, and where a pair is cut off; nowhere else."""
    status, out, _ = qdbg(*AVX2, "--arith", "textbook", "--golden", POST, "--json", "--values")
    assert status == 1
    calls = {call["module"]: call for call in json.loads(out)["calls"]}
    assert [calls[name]["golden"]["differences"] for name in ("quant", "dequant")] == [0, 0]
    assert calls["relu"]["golden"] is None
    fc1 = calls["fc1"]
    captured, exact = np.array(fc1["captured"]), np.array(fc1["simulated"])
    mine = np.array(fc1["golden"]["values"])
    assert np.array_equal(mine, np.maximum(exact, 128))
    saturated = captured != exact
    assert saturated.any()
    assert np.array_equal(mine[~saturated], np.maximum(captured[~saturated], 128))
    assert fc1["golden"]["differences"] == np.count_nonzero(mine != captured) > 0


def test_the_posts_script_agrees_with_an_engine_of_exact_sums_but_for_its_relu(qdbg):
    argv = ("show", MODEL, "--sample", "versicolor", "--engine", "qnnpack", "--golden", POST)
    _, out, _ = qdbg(*argv, "--json", "--values")
    calls = {call["module"]: call for call in json.loads(out)["calls"]}
    captured = np.array(calls["fc1"]["captured"])
    assert (captured < 128).any()
    assert np.array_equal(calls["fc1"]["golden"]["values"], np.maximum(captured, 128))
    assert calls["fc2"]["golden"]["differences"] == 0
