"""The words of a diagnosis: what is asked, whether anything explains it, and the proof."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content

from qdbg.app.widgets import Part, join
from qdbg.core.quantity import Array
from qdbg.engine.evidence import Evidence
from qdbg.engine.trace import Trace
from qdbg.engine.verdict import Diagnosis, Verdict

SHOWN_PAIRS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Whose integers are to be explained, at which call."""

    trace: Trace
    """The run under the arithmetic whose assumptions are changed."""
    call: int
    target: Array
    side: str
    """`PyTorch's` integers under an arithmetic, or `your golden` ones against PyTorch's own."""


def question(trace: Trace, call: int) -> Question | None:
    """The call under the cursor where something differs there, else the first that differs: the
    simulated integers before the golden ones. None where nothing differs."""
    simulated = [i for i, c in enumerate(trace.comparisons) if c.differences]
    golden = list(trace.golden_differences)
    if call in simulated or (simulated and call not in golden):
        found = call if call in simulated else simulated[0]
        return Question(trace, found, trace.recording.values[found], "PyTorch's")
    if not golden:
        return None
    found = call if call in golden else golden[0]
    captured = Trace(trace.recording, trace.captured_arithmetic or trace.arithmetic)
    return Question(captured, found, trace.golden[found], "your golden")


def headline(found: Diagnosis, asked: Question) -> Content:
    """How many elements differ, and whether anything explains them."""
    count = len(found.answers)
    parts: list[Part] = [
        (f"{found.differences} of {found.elements}", "bold"),
        f" of {asked.side} integers differ from those of {asked.trace.arithmetic.name}.\n",
    ]
    if count and found.doubt:
        parts += [
            ("Cannot tell", "bold"),
            f": {found.doubt}. qdbg why --separate runs another input.",
        ]
    elif count == 1:
        what = " and ".join(found.answers[0][0].ids)
        parts.append((f"Explained: {what}. With it changed, no difference is left.", "bold"))
    elif count:
        parts.append(
            f"{count} causes leave no difference. These integers do not tell them apart;"
            " qdbg why --separate does."
        )
    else:
        parts.append(
            ("Unexplained", "bold"),
        )
        parts.append(f": none of {len(found.tried)} changed assumptions leaves nothing.")
    return join(*parts)


def proof(verdict: Verdict, found: tuple[Evidence, ...] | None, name: str) -> Content:
    """What the change says, and one element before and behind it; None: it is looked for."""
    parts: list[Part] = []
    for change in verdict.changes:
        known = change.hypothesis
        parts += [(known.title, "bold"), "\n", _label("to do"), known.advice, "\n"]
    if found is None:
        parts += [_label("proof"), "looking for the element that it moves most …\n"]
    for held in found or ():
        before, after = held.told
        parts += [
            _label("proof"),
            f"{name}[{held.place}] is {before}, and {after} with the change\n",
        ]
        for words, line in (("before", held.base_line), ("changed", held.changed_line)):
            if line is not None:
                parts += [_label(words), line.numbers, "\n"]
        parts += _pairs(held)
    for change in verdict.changes:
        parts += [_label("source"), change.hypothesis.source, "\n"]
    return join(*parts)


def _label(words: str) -> Part:
    """What a line begins with, in one column."""
    return (f"{words:<8}", "$secondary")


def _pairs(held: Evidence) -> list[Part]:
    if held.terms is None:
        return []
    parts: list[Part] = []
    for term in held.terms.saturating[:SHOWN_PAIRS]:
        products = " + ".join(f"{p.x}·({p.w})" for p in term.products)
        side = "↑" if term.excess > 0 else "↓"
        parts += [
            _label("pair"),
            f"{products} = {term.total}, kept {term.kept}, ",
            (f"{abs(term.excess)} lost {side}\n", "bold $warning"),
        ]
    return parts
