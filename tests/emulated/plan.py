"""What is to be recorded of a cell: `python -m tests.emulated.plan ENGINE[:CASE,…] LEVEL`.

Where a fault of a level shows that this machine lacks, the simulation alone tells: of the cases
that are drawn here, those are named whose simulated numbers change with it.
"""

import json
import sys
import warnings

from qdbg.capture.level import machine_level, processor_name
from qdbg.core.op import NotSimulated
from qdbg.engine.simulate import simulate
from qdbg.engine.trace import Trace
from qdbg.headless.output import json_text, write
from qdbg.selftest import fuzz
from qdbg.selftest.cell import Task
from qdbg.selftest.child import keep_to
from qdbg.selftest.faults import faults
from tests.coverage import KEPT
from tests.released import HERE

SEEDS = 600
"""So many cases are looked at for each fault."""


def numbers(recording, arithmetic):
    """The simulated numbers of each call as bytes; None where it is not simulated."""
    trace = Trace(recording, arithmetic)
    for call in range(len(trace.nodes)):
        try:
            yield simulate(trace.call(call), arithmetic).result.tobytes()
        except NotSimulated:
            yield None


def changed(fault, recording, arithmetic, right):
    """Whether numbers become others; those that are no longer simulated do not show a fault."""
    try:
        with fault.seeded():
            wrong = list(numbers(recording, arithmetic))
        return any(
            None not in pair and pair[0] != pair[1] for pair in zip(wrong, right, strict=True)
        )
    except (ArithmeticError, ValueError, IndexError):
        return True  # a wrong rule may well come to no end


def seeds_for(case, missing, work, arithmetic):
    """The first seed at which each fault shows; all of them for a fault that shows nowhere."""
    found = set()
    for seed in range(SEEDS):
        if not missing:
            break
        if (made := work.made(case, seed)) is None:
            continue
        right = list(numbers(made, arithmetic))
        shown = [fault for fault in missing if changed(fault, made, arithmetic, right)]
        missing = [fault for fault in missing if fault not in shown]
        found |= {seed} if shown else set()
    return sorted(found if not missing else found | set(range(SEEDS // 10)))


def claims(engine):
    """Ops of which nothing is simulated on any level, and those that are refused in some calls."""
    cells = json.loads(KEPT.read_text("utf-8"))["cells"]
    counts = [item for cell in cells if cell["engine"] == engine for item in cell["ops"].items()]
    claimed = {op for op, n in counts if n.get("compared")}
    skipped = {op for op, _ in counts} - claimed
    return sorted(skipped), sorted({op for op, n in counts if n.get("refused")} & claimed)


def main():
    warnings.simplefilter("ignore")
    wanted, level = sys.argv[1:]
    engine, _, cases = wanted.partition(":")
    skipped, refused = claims(engine)
    if cases:
        plan = {"skipped": skipped, "refused": refused, "seeds": {}, "cases": cases.split(",")}
        write(json_text(plan))
        return
    own = Task(engine, machine_level(), (), 0, 0.0)
    kernel = keep_to(own)
    environment = fuzz.environment(Task(engine, level, (), 0, 0.0), kernel, processor_name())
    work = fuzz.Fuzz(Task(engine, level, (), 0, 0.0), environment, lambda _: None)
    arithmetic = HERE[f"{engine}-{level}"]
    showing = [fault for fault in faults() if fault.shows(HERE[f"{engine}-{level}"])]
    seeds = {
        case: seeds_for(case, [fault for fault in showing if fault.case == case], work, arithmetic)
        for case in dict.fromkeys(fault.case for fault in showing)
    }
    write(json_text({"skipped": skipped, "refused": refused, "seeds": seeds, "cases": []}))


if __name__ == "__main__":
    main()
