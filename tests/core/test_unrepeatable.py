"""A call that PyTorch gave another result when it ran again is shown as captured."""

from dataclasses import replace

from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import Program
from qdbg.engine.trace import Trace
from tests.synthetic import recording


def test_a_call_whose_next_run_gave_other_integers_is_not_claimed():
    made = recording()
    known = made.program.nodes
    changed = tuple(replace(n, repeatable=n.name != "relu:relu") for n in known)
    made = replace(made, program=Program(changed, made.program.layers))
    trace = Trace(made, ARITHMETICS["fbgemm-avx2"])
    assert [c.status for c in trace.comparisons].count("not simulated") == 1
    assert trace.comparisons[2].reason.startswith("PyTorch's result is not the same twice")
    assert trace.exit_status == 3
    step = trace.step(trace.first_steps[2])
    assert (step.simulated, step.captured is made.values[2]) == (None, True)
