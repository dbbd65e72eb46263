"""What if, on the screen: the list of numbers, the question for a value, and the marks' words."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from qdbg.app.dialogs import Ask, Choice, Choices, Choose
from qdbg.app.grid import GridRow, column
from qdbg.app.sources import CHANGED
from qdbg.app.widgets import join
from qdbg.debugger import Debugger
from qdbg.engine.filled import number
from qdbg.engine.step import Step
from qdbg.spots import find_spot, spots_here
from qdbg.whatif import allowed, effect, held, listed, not_known, shown

ROOMY = 112
"""From this width on the title says how to look at the original."""


def numbers(debugger: Debugger) -> Choose:
    """The numbers behind the element under the cursor, with what each may be."""
    trace, original = debugger.trace, debugger.base
    put = {change.spot.name: shown(change.spot, change.value) for change in debugger.changes}
    choices = []
    for spot in spots_here(trace, debugger.element, debugger.step):
        was = shown(spot, held(original, spot))
        row = (spot.name, put.get(spot.name, was), allowed(original, spot))
        mark = CHANGED if spot.name in put else " "
        choices.append(
            Choice(spot.name, GridRow(row, mark, "", "differs" if mark > " " else "plain"))
        )
    names, now, may_be = _cells(choices, 3)
    columns = (
        column("number", names, left=True),
        column("now", now),
        column("may be", may_be, left=True),
    )
    hint = "⏎ change it   esc leave\n: set NAME = VALUE changes any number of the run"
    return Choose("what if another number stood there?", Choices(columns, tuple(choices)), hint)


def _cells(choices: Sequence[Choice], count: int) -> list[list[str]]:
    """The cells of each column."""
    return [[choice.row.cells[n] for choice in choices] for n in range(count)]


def ask(debugger: Debugger, name: str) -> Ask:
    """Ask for the value."""
    spot = find_spot(debugger.unchanged, name)
    was = shown(spot, held(debugger.base, spot))
    hint = f"in the original run {was}   may be {allowed(debugger.base, spot)}"
    hint += "\n⏎ change it   esc leave"
    return Ask("what if", hint, f"{name} = ")


def changes(debugger: Debugger) -> Choose:
    """The changed numbers; choosing one takes it back."""
    choices = tuple(
        Choice(c.spot.name, GridRow((c.spot.name, shown(c.spot, c.value), c.was), CHANGED))
        for c in debugger.changes
    )
    names, now, original = _cells(choices, 3)
    columns = (column("number", names, left=True), column("now", now), column("original", original))
    hint = (
        "⏎ take it back   z original run   esc leave" if choices else "nothing is changed: = does"
    )
    return Choose("what if", Choices(columns, choices), hint)


def what_if(debugger: Debugger, width: int) -> Content:
    """In the title: how many numbers are changed, and which run is seen."""
    if not debugger.changes:
        return Content("")
    count = len(debugger.changes)
    if debugger.trace.original is None:
        words = f"original run, {count} changed" if width >= ROOMY else "original"
        return join(" ", (f" {words}: z ", "bold $background on $secondary"))
    words = f"what if: {count} changed" if width >= ROOMY else f"what if {count}"
    return join(" ", (f" {CHANGED} {words} ", "bold $background on $warning"))


def changed_lines(debugger: Debugger) -> Content:
    """In place of how the arithmetics fare: what is changed, and what that does."""
    return join(
        (f" {CHANGED} ", "bold $warning"),
        (effect(debugger.trace), "bold"),
        (f" · {not_known(debugger.trace)}" if not_known(debugger.trace) else "", "bold $warning"),
        (" · captured is the original run's · z: original", "$secondary"),
        f"\n {listed(debugger.changes)}",
    )


CAPTURED = "captured: the original run's"
"""Below the table, while numbers are changed."""


def before(step: Step, index: tuple[int, ...]) -> Content:
    """The element's value in the original run, where numbers are changed."""
    if step.original is None or step.changed is None:
        return Content("")
    mark = (f" {CHANGED}", "bold $warning") if step.changed[index] else ""
    return join(("\noriginal   ", "$secondary"), number(step.original[index]), mark)


def changed_outcome(result: Step, index: tuple[int, ...]) -> str:
    """How the element's result changed, in one line."""
    if result.original is None or result.simulated is None or result.captured is None:
        return ""
    was, now = number(result.original[index]), number(result.simulated[index])
    words = f"{CHANGED} {was} → {now}" if was != now else f"unchanged {now}"
    return f"{words}   PyTorch's original run {number(result.captured[index])}"
