"""A difference that the self-test finds is made small, saved, and opens in the debugger."""

import pytest

from qdbg.capture.level import machine_level
from qdbg.debugger import Debugger
from qdbg.headless import selftest
from qdbg.headless.coverage import DIFFERS, coverage_text, status_of
from qdbg.names import LEVELS
from qdbg.selftest.cell import Task
from qdbg.session import load
from tests.oracle import faulty

SEED = 20260101
FAULTS = {
    "fbgemm rounds the bias": ("fbgemm", "vnni", "linear"),
    "conv2d: pads with the byte 0": ("qnnpack", "avx2", "conv2d"),
    "leaky_relu: every element is left over": ("x86", "avx512", "leaky_relu"),
}
"""Each is seeded in a child as if it were the simulation's own rule; engine, level and case."""


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_shrunk_and_saved_and_the_session_shows_it(name, tmp_path, monkeypatch):
    engine, level, case = FAULTS[name]
    if level not in LEVELS[: LEVELS.index(machine_level()) + 1]:
        pytest.skip(f"this machine has no {level}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / faulty.FILE).write_text(name, encoding="utf-8")
    monkeypatch.setattr(selftest, "MODULE", faulty.MODULE)
    task = Task(engine, level, (case,), SEED, 3.0, faults=())
    found = selftest.run_task(task, lambda *_: None)
    assert found.ended == ""
    assert status_of([found]) == DIFFERS
    assert "≠" in coverage_text([found], SEED)

    small = found.differences[0]
    assert small["case"] == case
    assert small["size"] < 0.5  # of a layer as large as they are drawn
    paths = list(selftest.save_differences(found, SEED))
    assert len(paths) == len(found.differences) == len(found.recordings)
    session = load(paths[0])
    assert session.recording.environment.engine == engine
    assert sum(value.size for value in session.recording.values) < 5000

    assert session.debugger().trace.differences == 0  # the rule is right here, only there wrong
    with faulty.fault_of(name).seeded():
        debugger = load(paths[0]).debugger()
        assert isinstance(debugger, Debugger)
        assert debugger.trace.differences > 0
        stop = debugger.execute("next-difference")
        step = debugger.step
        assert step.node.op == small["op"]
        assert step.different is not None
        assert bool(step.different.reshape(-1)[debugger.element])
        assert stop.reason
