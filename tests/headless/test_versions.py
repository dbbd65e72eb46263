"""Other releases of PyTorch: their integers are shown, and no kernel's arithmetic is claimed."""

from dataclasses import replace

import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.core.versions import MEASURED
from qdbg.debugger import Debugger
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.survey import survey
from qdbg.engine.trace import Trace
from qdbg.fleet.feed import Fleet, Machine
from qdbg.fleet.predict import Forecast
from qdbg.fleet.sweep import sweep_part
from qdbg.headless.fleet import machines_for
from qdbg.headless.forecast import Report
from qdbg.headless.forecast_text import report_text
from qdbg.headless.show import show_text
from qdbg.names import ENGINES, LEVELS
from qdbg.selftest.check import compared
from qdbg.session import Session, save
from qdbg.sets import sample_set
from tests.fleet.synthetic import runs_of
from tests.synthetic import recording

OTHERS = ("2.15.0+cu130", "2.9.1", "2.130.0", "3.2.13")
CLAIMED = [name for name in ARITHMETICS if name != "textbook"]


def by(version, made=None):
    made = recording() if made is None else made
    return replace(made, environment=replace(made.environment, torch=version))


@pytest.mark.parametrize("name", CLAIMED)
@pytest.mark.parametrize("version", OTHERS)
def test_what_another_release_ran_no_kernels_arithmetic_is_claimed_for(version, name):
    for comparison in Trace(by(version), ARITHMETICS[name]).comparisons:
        assert comparison.status == "not simulated"
        assert f"PyTorch {version} ran it" in comparison.reason
        assert f"the arithmetic of PyTorch {MEASURED}" in comparison.reason


@pytest.mark.parametrize("version", ["2.12.1", "2.13.0+cpu", "2.13.1+cu130", ""])
def test_builds_of_the_measured_releases_and_unknown_ones_are_simulated(version):
    made = by(version)
    trace = Trace(made, arithmetic_for(made, "fbgemm-avx2"))
    assert {each.status for each in trace.comparisons} == {"equal"}


def test_the_textbook_is_compared_with_every_release():
    own, other = (Trace(by(v), ARITHMETICS["textbook"]) for v in ("2.13.0", "2.9.1"))
    assert other.differences == own.differences > 0
    fares = {fare.name: fare for fare in survey(by("2.9.1"))}
    assert fares["textbook"].differences == own.differences
    assert not any(fare.elements for name, fare in fares.items() if name != "textbook")


def test_show_counts_nothing_for_arithmetics_that_are_not_claimed():
    text = show_text(Debugger(by("2.9.1")).trace)
    assert "Nothing could be compared. 5 calls are not simulated." in text
    assert "0 of 0" not in text


def test_a_diagnosis_says_which_release_ran(qdbg, tmp_path):
    for version, said in (("2.9.1", True), ("2.12.1", False), ("2.13.0", False)):
        path = tmp_path / f"{version}.qdbg"
        save(Session.of(Debugger(by(version))), path)
        _, text, _ = qdbg("why", path)
        assert ("ran it, and qdbg has the arithmetic of" in text) == said


def test_no_other_machine_is_predicted_from_another_release():
    runs = runs_of(3)
    runs = replace(runs, first=by("2.9.1", runs.first))
    named = dict(machines_for(None, [runs], lambda _: None))
    assert set(named) == {f"{engine}-{level}" for engine in ENGINES for level in LEVELS}
    assert all("PyTorch 2.9.1 ran it" in str(machine) for machine in named.values())


def test_where_nothing_is_predicted_the_report_says_that_nothing_could_be_verified():
    runs = runs_of(3)
    runs = replace(runs, first=by("2.9.1", runs.first))
    refused = [Forecast(n, refused=str(m)) for n, m in machines_for(None, [runs], lambda _: None)]
    report = Report(sample_set("iris"), 1, [runs], refused, [])
    last = report_text(report, lambda *_: "").split("\n\n")[-1]
    assert last == "nothing to verify: no machine is predicted that PyTorch could run as here"


def test_a_sweep_counts_what_another_release_ran_under_the_textbook_alone():
    runs = runs_of(3)
    runs = replace(runs, first=by("2.9.1", runs.first))
    machines = [Machine(name, ARITHMETICS[name]) for name in ("fbgemm-vnni", "textbook")]
    for _, (claimed, textbook) in Fleet(runs, machines, "captured").calls():
        assert set(claimed.unknown) == {0, 1, 2}
        assert not textbook.unknown


def test_fuzzing_measures_any_release():
    assert {comparison.status for _, comparison in compared(by("2.9.1"))} == {"equal"}


@pytest.mark.parametrize("release", ["2.12", "2.13"])
def test_other_machines_are_predicted_as_the_release_has_them(release):
    runs = runs_of(3)
    runs = replace(runs, first=by(f"{release}.0", runs.first))
    named = dict(machines_for(None, [runs], lambda _: None))
    assert {machine.arithmetic.release for machine in named.values()} == {release}
    assert all(
        not count.unknown for count in sweep_part(runs, ["x86-vnni"], "captured")[0].values()
    )


def test_every_arithmetic_is_compared_as_the_release_has_it():
    fares = survey(by("2.12.1"))
    assert {name for fare in fares for name in fare.names} == set(ARITHMETICS)
    assert all(fare.elements and not fare.not_simulated for fare in fares)
