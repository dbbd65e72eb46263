"""`qdbg predict` and `qdbg sweep`: what they refuse, print, and how they end."""

import importlib.util
import json
import os
import pty
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from qdbg.fleet.bounds import FINITE, PROVED, Bound
from qdbg.headless.pairs_text import leaving, unable
from qdbg.sets import sample_set
from tests.headless.conftest import MODEL, ROOT, python

IRIS = ("--samples", "iris")
AVX2 = ("--cpu", "avx2", "--engine", "fbgemm")
REFUSED = {
    "no samples": ((MODEL,), "the following arguments are required: --samples"),
    "a set": ((MODEL, "--samples", "roses"), "there is no set of samples called 'roses'"),
    "a row": ((MODEL, "--samples", "iris:3"), "there is no set of samples called 'iris:3'"),
    "no file": ((MODEL, "--samples", "none.npz"), "there is no file none.npz"),
    "no model": (("none.pth", *IRIS), "there is no file none.pth"),
    "a session": ((ROOT / "sessions" / "mystery.qdbg", *IRIS), "is a session, which holds one run"),
    "a batch": ((MODEL, *IRIS, "--batch", "0"), "--batch 0 (expected 1 to"),
    "an engine": ((MODEL, *IRIS, "--engine", "v8"), "there is no engine 'v8'"),
    "a level": ((MODEL, *IRIS, "--cpu", "sse"), "there is no CPU level 'sse'"),
    "images": ((MODEL, "--samples", "digits"), "layer fc1 is given a value of shape [1, 1, 8, 8]"),
}
REFUSED_SWEEPS = {
    "a change": (
        (MODEL, *IRIS, "--arith", "textbook+pair-saturation=fbgemm-avx2"),
        "sweep takes no changed assumptions: --arith textbook+pair-saturation=fbgemm-avx2",
    ),
    "an arithmetic": ((MODEL, *IRIS, "--arith", "abacus"), "there is no arithmetic 'abacus'"),
    "a feed": ((MODEL, *IRIS, "--feed", "cat"), "there is no feed 'cat'"),
    "a backend": ((MODEL, *IRIS, "--backend", "cloud"), "there is no backend 'cloud'"),
    "an address": ((MODEL, *IRIS, "--backend", "loky=tcp://x:1"), "an address behind dask= alone"),
    "no workers": ((MODEL, *IRIS, "--jobs", "0"), "--jobs 0 (expected 1 to"),
}


@pytest.mark.parametrize("command", ["predict", "sweep"])
@pytest.mark.parametrize("case", REFUSED)
def test_bad_usage_is_refused_in_one_or_two_lines(command, case, qdbg):
    argv, words = REFUSED[case]
    refused(qdbg(command, *argv), words)


@pytest.mark.parametrize("case", REFUSED_SWEEPS)
def test_bad_sweeps_are_refused(case, qdbg):
    argv, words = REFUSED_SWEEPS[case]
    refused(qdbg("sweep", *argv), words)


def refused(done, words):
    status, out, err = done
    assert (status, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) <= 2


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Rows 45 to 54 of Iris, in a file."""
    path = tmp_path_factory.mktemp("rows") / "rows.npz"
    found = sample_set("iris")
    np.savez(path, x=found.values[45:55], labels=found.labels[45:55])
    return path


def test_a_sweep_is_the_same_for_any_number_of_workers(qdbg):
    argv = ("sweep", MODEL, *IRIS, *AVX2, "--arith", "all", "--json")
    texts = []
    for workers in (("--jobs", 1), ("--jobs", 2), ("--jobs", 2, "--backend", "threading")):
        status, out, err = qdbg(*argv, *workers)
        assert (status, err) == (1, "")
        texts.append(out)
    assert texts[0] == texts[1]
    data = json.loads(texts[0])
    assert data["samples"] == {"name": "iris", "count": 150, "shape": [4], "batch": 1}
    counts = {each["arithmetic"]: each for each in data["arithmetics"]}
    assert len(counts) == 13
    assert counts["fbgemm-avx2"]["differences"] == 0
    fc1 = next(c for c in counts["textbook"]["calls"] if c["name"] == "fc1:linear")
    assert (fc1["differences"], fc1["samples"], fc1["first_sample"]) == (829, 90, 50)
    assert sum(fc1["histogram"].values()) == 829
    assert max(abs(int(n)) for n in fc1["histogram"]) == fc1["max_delta"] == 83


def test_a_dask_cluster_gives_what_one_process_gives():
    pytest.importorskip("distributed")  # one of the tools of development
    done = python("-m", "tests.fleet.on_dask")
    assert done.returncode == 0, done.stderr[-2000:]


def test_without_distributed_a_dask_cluster_is_refused_with_what_to_install(qdbg, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "distributed" else there(name)
    )
    for command in ("sweep", "predict"):
        status, out, err = qdbg(command, MODEL, *IRIS, *AVX2, "--backend", "dask")
        assert (status, out) == (2, "")
        assert "pip install 'qdbg[dask]'" in err


def test_a_sweep_that_finds_nothing_ends_with_0(rows, qdbg):
    status, out, _ = qdbg("sweep", MODEL, "--samples", rows, *AVX2)
    assert status == 0
    assert "open the first one" not in out


def test_a_sweep_names_the_command_that_opens_the_first_row(rows, qdbg):
    status, out, _ = qdbg("sweep", MODEL, "--samples", rows, *AVX2, "--arith", "textbook")
    assert status == 1
    (line,) = (line for line in out.splitlines() if line.startswith("open the first one: qdbg "))
    words = line.partition(": qdbg ")[2].split()
    assert words[2] == f"{rows}:0"
    status, out, _ = qdbg("show", *words, "--json")
    assert status == 1
    found = {call["name"]: call["differences"] for call in json.loads(out)["calls"]}
    assert found["fc2:linear"] > 0


def test_a_prediction_says_which_machines_change_what(rows, qdbg):
    status, out, err = qdbg("predict", MODEL, "--samples", rows, "--engine", "fbgemm")
    assert (status, err) == (1, "")
    assert "fbgemm-vnni (captured)" in out or "fbgemm-avx" in out
    assert "values differ from PyTorch's" not in out
    for words in ("leave int16 with these samples", "an input exists that makes", "right"):
        assert words in out
    assert "sums are exact on any input" in out


def test_one_pair_leaves_int16_and_several_leave_it():
    assert leaving(1, 1) == "1 pair of 1 channel leaves int16 with these samples"
    assert leaving(3, 2) == "3 pairs of 2 channels leave int16 with these samples"


def test_what_is_proved_for_finite_operands_is_not_said_of_any_input():
    proof = Bound("fc:linear_dynamic", FINITE, "", 0, 128, 4, (), 32512, None)
    assert unable(proof) == (
        "cannot saturate on any finite operand: with bytes from 0 to 128 no pair of the 4 channels"
        " exceeds 32512; NaN or an infinity may become any byte"
    )
    assert "on any input" in unable(replace(proof, status=PROVED))


def test_the_command_of_a_sample_that_changes_class_shows_it(qdbg):
    """On a machine without VNNI as the captured one the change goes the other way."""
    status, out, _ = qdbg("predict", MODEL, *IRIS, *AVX2, "--json")
    assert status == 1
    data = json.loads(out)
    exact = next(m for m in data["machines"] if m["machine"] == "fbgemm-vnni")
    assert exact["outputs"]["classes_changed"] == len(exact["outputs"]["flips"]) == 46
    assert exact["outputs"]["right"] > exact["outputs"]["right_captured"]
    flip = exact["outputs"]["flips"][0]
    status, out, _ = qdbg(
        "show", MODEL, "--sample", f"iris:{flip['sample']}", *AVX2,
        "--arith", "fbgemm-vnni", "--feed", "simulated", "--json", "--values",
    )  # fmt: skip
    (last,) = json.loads(out)["calls"][-1]["simulated"]
    (before,) = json.loads(out)["calls"][-1]["captured"]
    assert (np.argmax(before), np.argmax(last)) == (flip["captured"], flip["predicted"])


def test_a_model_without_an_order_of_layers_is_refused(tmp_path, qdbg):
    path = tmp_path / "alone.pth"
    path.write_bytes(MODEL.read_bytes())
    for command in ("predict", "sweep"):
        status, out, err = qdbg(command, path, *IRIS)
        assert (status, out) == (2, "")
        assert "forward" in err


def test_a_bar_is_drawn_on_a_terminal(rows):
    """And only there: the sweeps above, whose stderr is a file, end with nothing on it."""
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "qdbg", "sweep", str(MODEL), "--samples", str(rows)]
    with subprocess.Popen(  # noqa: S603 - this Python, our own command
        argv, stdout=subprocess.PIPE, stderr=theirs, cwd=ROOT, env=os.environ | {"TERM": "xterm"}
    ) as done:
        os.close(theirs)
        drawn = b""
        while chunk := read(ours):
            drawn += chunk
        assert done.wait() == 0
        assert b"\x1b" not in done.stdout.read()
    os.close(ours)
    assert b"starting PyTorch" in drawn


def read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux's way to say that nobody writes any more
        return b""
