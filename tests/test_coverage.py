"""The coverage table: what a new run replaces, what stays, and that the document is up to date."""

import json
from collections import Counter
from itertools import product

import pytest

from qdbg.core.versions import PRESETS, RULES, release_of
from qdbg.names import ENGINES, LEVELS
from tests.coverage import KEPT, TABLE, document, merged

COUNT = {
    "calls": 9, "compared": 2_000_000, "differences": 0, "refused": 1, "reasons": {"a tie": 1},
    "exhaustive": 12, "inputs": 256,
}  # fmt: skip


def run(*cells, date="2027-01-02T03:04:05+00:00", **changes):
    made = [
        {"engine": engine, "cpu": cpu, "ended": None, "faults": {"a rule": True}, "ops": ops}
        for engine, cpu, ops in cells
    ]
    facts = {"qdbg": "0.1.0", "torch": "2.13.0", "processor": "one", "seed": 7, "budget": "3m"}
    return {**facts, "date": date, "cases": [], "cells": made, **changes}


EMPTY = {"runs": [], "cells": [], "releases": []}
OLD = merged(EMPTY, run(("fbgemm", "vnni", {"relu": COUNT}), ("fbgemm", "avx2", {"relu": COUNT})))
NEW = run(("fbgemm", "avx2", {"relu": {**COUNT, "compared": 5}}), date="2027-02-03T00:00:00+00:00")


def test_a_newer_run_replaces_its_own_columns_alone():
    kept = merged(OLD, NEW)
    assert [(c["cpu"], c["run"]) for c in kept["cells"]] == [
        ("avx2", "2027-02-03T00:00:00+00:00 7"),
        ("vnni", "2027-01-02T03:04:05+00:00 7"),
    ]
    text = document(kept)
    assert "| op | inputs | fbgemm avx2 B | fbgemm vnni A |" in text
    assert "| relu | 256 | ○ ∀ 5 | ○ ∀ 2.0M |" in text
    assert "of run A (fbgemm vnni) are of 2027-01-02 and were not run again since" in text


def test_a_run_without_columns_left_is_forgotten():
    both = run(("fbgemm", "vnni", {}), ("fbgemm", "avx2", {}), date="2027-02-03T00:00:00+00:00")
    assert [each["date"] for each in merged(OLD, both)["runs"]] == ["2027-02-03"]


def test_reasons_have_their_share_and_small_cells_are_named():
    text = document(merged(EMPTY, run(("x86", "avx2", {"conv2d": {**COUNT, "inputs": 0}}))))
    assert "- conv2d: a tie (11.11% of its calls)" in text
    assert "Below a million" not in text
    small = {**COUNT, "inputs": 0, "compared": 999_999}
    text = document(merged(EMPTY, run(("x86", "avx2", {"conv2d": small}))))
    assert "- conv2d: x86 avx2 999k" in text


@pytest.mark.parametrize(
    "wrong", [{"cases": ["relu"]}, {"cells": [{**NEW["cells"][0], "ended": "it died"}]}]
)
def test_a_run_that_is_not_whole_makes_no_table(wrong):
    with pytest.raises(SystemExit):
        merged(EMPTY, {**NEW, **wrong})


def test_a_run_of_another_release_has_a_line_of_its_own():
    other = {**NEW, "torch": "2.12.1"}
    kept = merged(OLD, other)
    assert (kept["runs"], kept["cells"]) == (OLD["runs"], OLD["cells"])
    chapter = document(kept).partition("## Other releases")[2].partition("## Run A")[0]
    assert "| 2.12.1 | 2027-02-03 | one | 7 | 3m | 0.1.0 | 5 | 0 | 1 of 1 | 1 | 1 of 1 |" in chapter
    again = merged(kept, {**other, "torch": "2.12.2"})
    assert [each["torch"] for each in again["releases"]] == ["2.12.2"]


def test_every_claimed_release_was_fuzzed_on_each_engine_and_level():
    kept = json.loads(KEPT.read_text("utf-8"))["releases"]
    assert {release_of(each["torch"]) for each in kept} == {*RULES} - {PRESETS}
    for each in kept:
        assert (each["differences"], each["caught"]) == (0, each["faults"])
        assert each["cells"] == len(ENGINES) * len(LEVELS)


def test_the_committed_table_is_that_of_the_kept_numbers():
    assert TABLE.read_text(encoding="utf-8") == document(
        json.loads(KEPT.read_text(encoding="utf-8"))
    )


def test_what_is_to_be_said_of_a_run_stands_in_its_chapter():
    kept = merged(OLD, {**NEW, "note": "Its CPU was emulated."})
    chapter = document(kept).partition("## Run B")[2].partition("## Run A")[0]
    assert "Its CPU was emulated." in chapter
    assert document(kept).count("Its CPU was emulated.") == 1


def test_what_ran_on_an_emulated_cpu_has_columns_of_its_own():
    emulated = {**NEW, "cells": [{**NEW["cells"][0], "emulated": True}]}
    text = document(merged(OLD, emulated))
    assert "| fbgemm avx2 A | fbgemm avx2 emulated B | fbgemm vnni A |" in text


def test_every_claimed_op_of_each_engine_and_level_has_its_million():
    """On a real CPU, as the README says."""
    most = Counter()
    cells = json.loads(KEPT.read_text("utf-8"))["cells"]
    for cell in (each for each in cells if "emulated" not in each):
        for op, found in cell["ops"].items():
            place = (cell["engine"], cell["cpu"], op)
            most[place] = max(most[place], found.get("compared", 0))
            assert not found.get("differences")
    claimed = {place: count for place, count in most.items() if count}
    assert {place[:2] for place in claimed} == set(product(ENGINES, LEVELS))
    assert [place for place, count in claimed.items() if count < 10**6] == []
