"""Every panel for elements of every op: `python -m tests.app.panels ENGINE SEED …` prints what went
wrong, as JSON.

The self-test draws the calls; they are looked at under the engine's own arithmetic and another one.
"""

import json
import sys
import traceback

import torch

from qdbg.app.around import spread_lines, way_lines
from qdbg.app.texts import formula_panel, range_strip, short_formula, way_panel
from qdbg.core.presets import ARITHMETICS
from qdbg.core.program import Environment
from qdbg.debugger import Debugger
from qdbg.engine.computation import computation
from qdbg.engine.origin import origins
from qdbg.engine.table import Table
from qdbg.engine.terms import terms
from qdbg.engine.trace import Trace
from qdbg.errors import CommandError
from qdbg.selftest.cases import generators
from qdbg.selftest.check import record
from qdbg.selftest.draw import Draw

LEVEL, WIDTH, ROWS = "avx2", 60, 5


def recordings(engine, seeds):
    """What PyTorch makes of the drawn calls; some engines refuse some."""
    environment = Environment(engine, LEVEL, str(torch.__version__), "", "?", unperturbed=True)
    for seed in seeds:
        for name, generator in generators().items():
            try:
                case = generator(Draw(seed, engine, LEVEL, 0.05))
                made = None if case is None else record(case, environment)
            except (RuntimeError, NotImplementedError):
                continue
            if made is not None and made.program.nodes:
                yield f"{name}, seed {seed}", made


def look(trace, step):
    """Everything that is shown of a step's first and last element, and of the step."""
    range_strip(step, WIDTH)
    spread_lines(step, WIDTH, ROWS)
    for element in sorted({0, max(0, step.size - 1)}):
        formula_panel(step, element)
        short_formula(step, element)
        way_panel(step, element)
        way_lines(step, element, ROWS)
        origins(trace, step, element)
        if step.size:
            true(trace, step, element)
            Table(step).row(element)
            terms(step, element, trace.captured_arithmetic)


def true(trace, step, element):
    """Raises AssertionError where a formula does not give the number that stands behind it."""
    try:
        computation(trace, step, element)
    except CommandError as refused:
        assert "alone gives" not in str(refused), refused


def faults(engine, seeds):
    """By the place in the code the first call that fails there."""
    found = {}
    for name, made in recordings(engine, seeds):
        for arithmetic in (f"{engine}-{LEVEL}", "textbook"):
            trace = Trace(made, ARITHMETICS[arithmetic])
            for index in range(len(trace)):
                try:
                    look(trace, trace.step(index))
                except Exception:
                    lines = traceback.format_exc().splitlines()
                    place = next(line.strip() for line in reversed(lines) if "File" in line)
                    found.setdefault(place, f"{name}, {arithmetic}: {lines[-1]}")
            Debugger(made, arithmetic).execute("origin") if len(trace) else None
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.backends.quantized.engine = sys.argv[1]
    found = faults(sys.argv[1], [int(seed) for seed in sys.argv[2:]])
    sys.stdout.write(json.dumps(found) + "\n")
