"""The texts of the panels, made of facts that the engine computed."""

from __future__ import annotations

from pathlib import PurePath

from textual.content import Content

from qdbg.app.changed import before, changed_outcome, what_if
from qdbg.app.sources import CHANGED, layer_title
from qdbg.app.widgets import Part, fitting, join
from qdbg.debugger import Debugger
from qdbg.engine.explain import Line, explain, way
from qdbg.engine.filled import number
from qdbg.engine.step import Step
from qdbg.engine.summary import Range, extremes, parameters, value_range
from qdbg.engine.table import signed
from qdbg.engine.terms import Terms, lost_outputs

ROOMY, USUAL = 112, 80
"""From these widths on, the header lines are written out, or at least name the sample."""
LEAST = 60
"""Below this width the stop line keeps only the stage and the reason."""
LEAST_NAME = 6
"""What is left of a layer's name where the reason of the stop needs the room."""
LEAST_PART = 1e-4
"""What is less is not written as a number of percent."""
BLOCKS = " ▁▂▃▄▅▆▇█"
FEED_WORDS = {"captured": "each layer fed by PyTorch", "simulated": "simulated values fed on"}


def title_line(debugger: Debugger, width: int) -> Content:
    """Model, sample, engine, CPU level; and what is simulated."""
    recording = debugger.recording
    environment = recording.environment
    wide, changed = width >= ROOMY, debugger.trace.original is not None
    proof = "" if environment.unperturbed else " · recording changed the result!"
    return join(
        (" qdbg ", "bold $background on $primary"),
        (f" {PurePath(recording.model).name}", "bold"),
        f" · {recording.sample} · " if width >= USUAL else " · ",
        ("PyTorch " if wide else "", "$secondary"),
        (f"{environment.engine} on {environment.cpu}", "bold"),
        (proof, "bold $warning"),
        (_simulated(debugger.trace.feed, wide), "$secondary"),
        (debugger.trace.arithmetic.name, "bold"),
        what_if(debugger, width),
        (f", {FEED_WORDS[debugger.trace.feed]}" if wide and not changed else "", "$secondary"),
    )


def _simulated(feed: str, wide: bool) -> str:
    if wide:
        return "   simulated "
    return " · feeding " if feed == "simulated" else " · simulated "


def stop_line(debugger: Debugger, width: int) -> Content:
    """Where the cursor stands, and why."""
    step, trace = debugger.step, debugger.trace
    name = step.stage.name if step.stage is not None else "result"
    layer = step.node.layer or step.node.name
    title = f"{layer_title(trace, step.call)} " if width >= ROOMY else ""
    source = f"  {step.node.source}" if step.node.source else ""
    reason = join(("■ ", "$warning"), (debugger.why, "bold"))
    if width < LEAST:
        return join(" ", (name, "bold $accent"), " ", reason)
    behind = join(
        (title, "$secondary"),
        "› ",
        (name, "bold $accent"),
        (f"   step {step.index + 1}/{len(trace)}   ", "$secondary"),
        reason,
    )
    room = max(LEAST_NAME, width - behind.cell_length - 2)
    line = join(" ", Content(layer).truncate(room, ellipsis=True), " ", behind)
    return fitting(width, line, join((source, "$secondary")))


def line_content(line: Line) -> Content:
    """A formula in symbols, then with the element's numbers."""
    return join((line.symbols, "bold $accent"), "\n", (line.numbers, "$foreground"))


def formula_panel(step: Step, element: int) -> Content:
    """Formula, numbers, explanation, constants and parameters of the element."""
    if step.stage is None:
        return join(
            ("not simulated", "bold $warning"),
            f"\n\n{step.reason}\n\nThe table shows what PyTorch computed.",
        )
    if not step.size:
        return join(("no elements", "$secondary"), f"\n\n{step.stage.explanation}")
    own, *constants = explain(step, element)
    parts: list[Part] = [line_content(own), "\n\n", own.explanation, "\n"]
    for constant in constants:
        parts += [
            ("\nwhere ", "$secondary"),
            line_content(constant),
            "\n",
            (constant.explanation, "$secondary"),
            "\n",
        ]
    return join(*parts, "\n", _exposure(step, element), "\n\n", _parameters(step, element))


def _exposure(step: Step, element: int) -> Content:
    """Whether PyTorch shows the value, and if so how the two compare."""
    if step.captured is None or step.delta is None or step.simulated is None:
        text = "PyTorch does not show this value; only a layer's result can be compared."
        return join(("derived  ", "bold"), (text, "$secondary"))
    index = step.index_of(element)
    found = step.delta[index]
    verdict = ("≠ differs", "bold $warning") if found else ("✓ equal", "bold $success")
    return join(
        ("captured   ", "bold"),
        verdict,
        before(step, index),
        ("\nPyTorch    ", "$secondary"),
        number(step.captured[index]),
        ("\nsimulated  ", "$secondary"),
        f"{number(step.simulated[index])}   Δ {signed(found)}",
    )


def _parameters(step: Step, element: int) -> Content:
    rows: list[Part] = []
    for parameter in parameters(step, element):
        rows += [(f"{parameter.symbol:<10} ", "$secondary"), f"{parameter.value}\n"]
    return join(*rows)


def short_formula(step: Step, element: int) -> Content:
    """The formula panel where there is room for four lines only."""
    if step.stage is None or not step.size:
        return formula_panel(step, element)
    own = explain(step, element)[0]
    return join(line_content(own), "\n", (own.explanation, "$secondary"))


def range_strip(step: Step, width: int) -> Content:
    """How the values lie in the byte's range; or their extremes where they are no bytes."""
    found = value_range(step, max(16, min(64, width - 40)))
    if found is None:
        return join(("values  ", "$secondary"), extremes(step))
    return join(
        ("qmin ", "$secondary"),
        f"{found.qmin}",
        (f" ×{found.at_qmin}" if found.at_qmin else "", "bold $warning"),
        " ",
        _histogram(found),
        " ",
        ("qmax ", "$secondary"),
        f"{found.qmax}",
        (f" ×{found.at_qmax}" if found.at_qmax else "", "bold $warning"),
        (f"   zero point {found.zero_point} │", "$secondary"),
    )


def _histogram(found: Range) -> Content:
    top = max(found.counts, default=1) or 1
    parts: list[Part] = []
    for place, count in enumerate(found.counts):
        block = BLOCKS[0 if not count else 1 + (count * 7) // top]
        if place == found.zero_bin and not count:
            parts.append(("│", "$secondary"))
        else:
            parts.append((block, "$primary on $panel"))
    return join(*parts)


def way_panel(step: Step, element: int) -> tuple[Content, Content]:
    """Every stage with its numbers; and the same text up to the stage under the cursor."""
    parts: list[Part] = []
    upto = join()
    for line in way(step, element):
        here = step.stage is not None and line.symbols == step.stage.formula
        parts += [
            ("▶ " if here else "  ", "$warning"),
            (f"{line.numbers}\n", "bold" if here else ""),
            (f"    {line.symbols}\n", "$secondary"),
        ]
        upto = join(*parts) if here else upto
    return join(*parts), upto


def about_sum(step: Step, element: int, found: Terms) -> Content:
    """Who adds the products up and why so; and what was lost on the way."""
    why = join((f"{found.kernel.why[:1].upper()}{found.kernel.why[1:]}.", "$secondary"))
    return join(why, "\n", _lost(step, element, found)) if found.paired else why


def _lost(step: Step, element: int, found: Terms) -> Content:
    count = len(found.saturating)
    if not count:
        return join(("✓ ", "bold $success"), f"no pair of this sum saturates in {found.arithmetic}")
    plural = "pair saturates" if count == 1 else "pairs saturate"
    worth = lost_outputs(step, element, found)
    made = step.simulation
    kept = made is not None and made.kernel is not None and made.kernel.accumulator == "exact"
    return join(
        (f"{count} {plural} in {found.arithmetic}", "bold $warning"),
        f": {found.excess} of the sum is lost",
        f", worth {worth:.1f} steps of the result" if worth is not None else "",
        f". {made.arithmetic.name} loses nothing." if made is not None and kept else ".",
    )


def outcome(step: Step, result: Step, element: int) -> str:
    """How the element's result compares with PyTorch's, in one line."""
    if result.captured is None or result.delta is None or result.simulated is None:
        return ""
    if step.of_inputs or result.shape != step.shape:
        return "only the layer's result can be compared with PyTorch"
    index = step.index_of(element)
    if result.original is not None:
        return changed_outcome(result, index)
    found = result.delta[index]
    values = number(result.captured[index]), number(result.simulated[index])
    mark = "≠" if found else "✓"
    return f"{mark} Δ {signed(found)}   PyTorch {values[0]}   simulated {values[1]}"


def headroom(found: Terms) -> str:
    """How much of the accumulator's range the sum uses."""
    part = f"{found.headroom:.2%}" if found.headroom >= LEAST_PART else "less than 0.01%"
    return f"the largest running sum uses {part} of int32"


CHANGED_SIGN = f"{CHANGED} changed by what if"
GOLDEN_SIGN = "≠g your golden model differs"
SIGNS = ("≠ differs", "✓ equal", "↑ ↓ saturated", "○ not simulated", "· PyTorch does not show it")


def legend(width: int, *, golden: bool = False, changed: bool = False) -> Content:
    """What the signs mean, as many as fit."""
    text = ""
    for sign in (
        *((CHANGED_SIGN,) if changed else ()),
        *SIGNS[:2],
        *((GOLDEN_SIGN,) if golden else ()),
        *SIGNS[2:],
    ):
        longer = f"{text}   {sign}" if text else sign
        if len(longer) > width - 2:
            break
        text = longer
    return Content(text)
