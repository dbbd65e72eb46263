"""Cases that were recorded elsewhere are compared as the self-test compares its own."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest

from qdbg.capture.level import VARIABLES
from qdbg.selftest.faults import faults
from tests.emulated import plan
from tests.emulated.compare import cells, compare, items
from tests.released import HERE

NUMBERS = 10_000
DEADLY = 5
"""The seed of the Linear at which the process dies."""
RECORD = f"""
import os, signal, sys
from qdbg.selftest import fuzz
from qdbg.selftest.cell import Task
from tests.emulated.record import record
made = fuzz.Fuzz.made
def dying(self, name, seed, size=1.0, large=0):
    if (name, seed) == ("linear", {DEADLY}):
        os.kill(os.getpid(), signal.SIGILL)
    return made(self, name, seed, size, large)
fuzz.Fuzz.made = dying
with open(sys.argv[1], "wb") as stream:
    task = Task("fbgemm", "avx2", ("relu", "linear"), 10**6, 0.0)
    seeds = {{"linear": [*range(70)]}}
    record(task, {{"skipped": [], "refused": ["relu"], "seeds": seeds}}, stream, {NUMBERS})
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "cases"
    command = [sys.executable, "-W", "ignore", "-c", RECORD, path]
    environment = os.environ | VARIABLES["avx2"]
    subprocess.run(command, check=True, env=environment, capture_output=True)  # noqa: S603
    return path


@pytest.fixture(scope="module")
def found(recorded):
    return compare([recorded])


def test_each_op_has_its_numbers_and_none_differs(found):
    counts = found.counts
    assert found.done
    assert min(counts[op].compared for op in ("linear", "linear_relu")) > NUMBERS / 2
    assert counts["relu"].compared >= 2 * NUMBERS
    assert not any(count.differences for count in counts.values())


def test_a_case_that_two_files_have_counts_once(recorded, found):
    counts = {op: count.compared for op, count in found.counts.items()}
    again = compare([recorded, recorded]).counts
    assert {op: count.compared for op, count in again.items()} == counts


def test_the_case_at_which_pytorch_dies_is_left_out_and_the_others_are_there_once(recorded):
    _, *cases, _ = items(recorded)
    drawn = [item[:2] for item in cases]
    assert len(drawn) == len(set(drawn))
    assert {seed for name, seed in drawn if name == "linear" and seed < 70} == {*range(70)} - {
        DEADLY
    }


def test_faults_are_caught_by_the_recorded_cases_and_only_by_those(found):
    showing = {fault.name: fault.case for fault in faults() if fault.shows(HERE["fbgemm-avx2"])}
    caught = {showing[name] for name, seen in found.faults.items() if seen}
    assert caught == {"relu", "linear"} & set(showing.values())
    assert not any(showing[name] == "linear" for name in found.missed)


def one_bit_off(recording):
    value = recording.values[0].copy()
    value.flat[0] ^= 1
    return replace(recording, values=(value, *recording.values[1:]))


def write(path, head, *rest):
    with path.open("wb") as stream:
        for item in (head, *rest):
            pickle.dump(item, stream)
    return path


def test_one_number_that_is_not_pytorchs_is_counted_and_kept(recorded, tmp_path):
    head, *cases, end = items(recorded)
    name, seed, made = next(item for item in cases if item[0] == "linear")
    wrong = write(tmp_path / "wrong", head, (name, seed, one_bit_off(made)), end)
    right = write(tmp_path / "right", head, (name, seed + 1, made), end)
    assert cells([wrong, right]) == [[wrong, right]]
    found = compare([wrong, right])
    assert sum(count.differences for count in found.counts.values()) == 1
    assert len(found.recordings) == 1


def test_a_recording_that_was_cut_off_is_no_whole_one(recorded, tmp_path):
    head, first, *_ = items(recorded)
    cut = write(tmp_path / "cut", head, first)
    assert compare([cut]).ended == f"{cut} has no end"


@pytest.mark.parametrize(("wrong", "shows"), [([b"1", None], False), ([b"1", b"3"], True)])
def test_a_call_that_a_fault_keeps_from_being_simulated_does_not_show_it(wrong, shows, monkeypatch):
    monkeypatch.setattr(plan, "numbers", lambda *_: wrong)
    assert plan.changed(faults()[0], None, None, [b"1", b"2"]) is shows
