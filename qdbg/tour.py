"""The guided tour as data: what is told at each step, the key that leads on, and what is true.

Every number in a text is a placeholder for one of the step's facts, and the facts are compared with
the session's own: the tour cannot say what the screen does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qdbg.debugger import Debugger
from qdbg.engine.terms import Terms, lost_outputs, terms
from qdbg.examples import MYSTERY

if TYPE_CHECKING:
    from qdbg.engine.verdict import Diagnosis
    from qdbg.session import Session

Fact = int | str | float
MAIN, ELEMENT, DIAGNOSIS = "main", "element", "diagnosis"


@dataclass(frozen=True, slots=True)
class TourStep:
    """One station of the tour."""

    text: str
    """What is told, with the names of facts in braces."""
    screen: str
    """Where: MAIN, ELEMENT or DIAGNOSIS."""
    facts: Mapping[str, Fact]
    """What is true here, by the names in FACTS."""
    key: str = ""
    """The key that leads to the next step; empty at the end."""
    executes: str = ""
    """What that key makes the debugger do; empty where it only opens or closes a screen."""

    @property
    def words(self) -> str:
        """The text with its facts."""
        return self.text.format(**self.facts)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is on the screen."""

    debugger: Debugger
    screen: str
    diagnosis: Diagnosis | None = None


TOUR = (
    TourStep(
        "A small net that names Iris flowers, quantized to int8. PyTorch ran it on a CPU without "
        "VNNI; beside it qdbg computes every stage by the textbook's formula. The results differ: "
        "why? c runs to the first difference.",
        MAIN,
        {"stage": "quant:quantize.quantize", "arithmetic": "textbook"},
        "c",
        "continue",
    ),
    TourStep(
        "Layer {layer} has {size} results. {differ} of them differ from PyTorch's, {equal} are "
        "equal; the column Δ says by how much. D goes to the largest difference.",
        MAIN,
        {"stage": "fc1:linear.clamp", "layer": "fc1", "size": 16, "differ": 8, "equal": 8},
        "D",
        "largest-difference",
    ),
    TourStep(
        "Channel {element}: the textbook gives {simulated}, PyTorch {captured}, from the same "
        "inputs and weights. s shows all that is behind this one number.",
        MAIN,
        {"stage": "fc1:linear.clamp", "element": 12, "simulated": 101, "captured": 121},
        "s",
    ),
    TourStep(
        "PyTorch's kernel adds two products at a time in int16, which ends at {lowest}. "
        "{left} + {right} is {total}: {kept} is kept, {lost} is lost, worth {worth} steps of the "
        "result. o goes back.",
        ELEMENT,
        {
            **{"stage": "fc1:linear.clamp", "element": 12, "lowest": -32768, "left": -20352},
            **{"right": -18304, "total": -38656, "kept": -32768, "lost": -5888, "worth": 20.7},
        },
        "o",
    ),
    TourStep(
        "Does that explain all {differ}? d changes one assumption of the arithmetic after the "
        "other, and counts the differences that each leaves.",
        MAIN,
        {"stage": "fc1:linear.clamp", "element": 12, "arithmetic": "textbook", "differ": 8},
        "d",
    ),
    TourStep(
        "{cause} leaves {left_over} of {size}; the engines that leave none saturate in the same "
        "way. Below the list are the proof and what to do. ⏎ simulates with it.",
        DIAGNOSIS,
        {"causes": 1, "cause": "pair-saturation", "left_over": 0, "size": 16},
        "enter",
        "arithmetic textbook+pair-saturation=fbgemm-avx2",
    ),
    TourStep(
        "Found: with saturating pairs {all_differ} of {elements} values differ. In PyTorch, "
        "reduce_range=True, the qnnpack engine or a CPU with VNNI avoids it. Your own model: "
        "qdbg model.pth --input FILE.",
        MAIN,
        {
            **{"stage": "fc1:linear.clamp", "all_differ": 0, "elements": 42},
            "arithmetic": "textbook+pair-saturation=fbgemm-avx2",
        },
    ),
)
"""The mystery of the shipped session, from the difference to its cause."""


def tour_session() -> Session:
    """The shipped recording under the textbook's arithmetic, before the first command."""
    from qdbg.session import load  # noqa: PLC0415 - the facts do not need it

    return replace(load(MYSTERY), arithmetic="textbook", feed="captured", history=())


def commands_before(place: int) -> tuple[str, ...]:
    """What the debugger has executed when the tour stands at this step."""
    return tuple(step.executes for step in TOUR[:place] if step.executes)


def stands(step: TourStep, seen: Seen) -> bool:
    """Whether the step's facts are those of the screen."""
    if step.screen != seen.screen or (step.screen == DIAGNOSIS and seen.diagnosis is None):
        return False
    return all(FACTS[name](seen) == value for name, value in step.facts.items())


def _here(name: str) -> Callable[[Seen], Fact | None]:
    """A number of the element under the cursor; None where the stage has none."""

    def find(seen: Seen) -> Fact | None:
        step = seen.debugger.step
        values = getattr(step, name)
        return None if values is None else int(values.flat[seen.debugger.element])

    return find


def _terms(seen: Seen) -> Terms | None:
    debugger = seen.debugger
    return terms(debugger.step, debugger.element, debugger.trace.captured_arithmetic)


def _pair(find: Callable[[Terms], Fact]) -> Callable[[Seen], Fact | None]:
    """A number of the first saturating pair behind the element; None without one."""

    def of(seen: Seen) -> Fact | None:
        found = _terms(seen)
        return find(found) if found is not None and found.saturating else None

    return of


def _worth(seen: Seen) -> Fact | None:
    found = _terms(seen)
    lost = None
    if found is not None:
        lost = lost_outputs(seen.debugger.step, seen.debugger.element, found)
    return None if lost is None else round(abs(lost), 1)


def _asked(find: Callable[[Diagnosis], Fact]) -> Callable[[Seen], Fact | None]:
    def of(seen: Seen) -> Fact | None:
        return None if seen.diagnosis is None else find(seen.diagnosis)

    return of


FACTS: Mapping[str, Callable[[Seen], Fact | None]] = {
    "stage": lambda seen: seen.debugger.step.name,
    "layer": lambda seen: seen.debugger.step.node.layer,
    "arithmetic": lambda seen: seen.debugger.trace.arithmetic.name,
    "size": lambda seen: seen.debugger.step.size,
    "differ": lambda seen: seen.debugger.step.differences,
    "equal": lambda seen: seen.debugger.step.size - (seen.debugger.step.differences or 0),
    "element": lambda seen: seen.debugger.element,
    "simulated": _here("simulated"),
    "captured": _here("captured"),
    "lowest": _pair(lambda found: found.saturating[0].kept),
    "left": _pair(lambda found: found.saturating[0].products[0].product),
    "right": _pair(lambda found: found.saturating[0].products[1].product),
    "total": _pair(lambda found: found.saturating[0].total),
    "kept": _pair(lambda found: found.saturating[0].kept),
    "lost": _pair(lambda found: found.saturating[0].excess),
    "worth": _worth,
    "causes": _asked(lambda found: len(found.answers)),
    "cause": _asked(lambda found: " and ".join(found.answers[0][0].ids) if found.answers else ""),
    "left_over": _asked(lambda found: found.answers[0][0].left if found.answers else -1),
    "all_differ": lambda seen: seen.debugger.trace.differences,
    "elements": lambda seen: sum(c.elements for c in seen.debugger.trace.comparisons),
}
"""What a step can tell, and where each comes from."""
