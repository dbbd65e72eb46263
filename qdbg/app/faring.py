"""What is said of how the arithmetics fare: how far the counting is, and what each leaves."""

from __future__ import annotations

from textual.content import Content

from qdbg.app.changed import changed_lines
from qdbg.app.widgets import Part, fitting, join
from qdbg.core.program import Recording
from qdbg.debugger import Debugger
from qdbg.engine.survey import Fare, leaving_least
from qdbg.headless.output import bar
from qdbg.names import LEVELS

MORE = 16
"""What `+3  a lists them` takes."""


def counting_line(what: str, done: int, total: int, width: int) -> Content:
    """How far the counting of differences under every arithmetic is."""
    head = join((" comparing the arithmetics …", "$secondary"))
    if not total:
        return head
    words = f"{bar(done, total, max(8, min(40, width - 60)))}  {what}"
    return join(head, "\n ", (words, "$secondary"))


def survey_lines(debugger: Debugger, fares: tuple[Fare, ...], width: int) -> Content:
    """How the chosen arithmetic fares, and in one line how the others would."""
    if debugger.trace.original is not None:
        return changed_lines(debugger)
    name = debugger.trace.arithmetic.name
    own = next((fare for fare in fares if name in fare.names), None)
    if own is None:
        return join((" comparing the arithmetics …", "$secondary"))
    others = [fare for fare in fares if fare is not own]
    verdict = _verdict(own, name, fares, debugger.recording, width)
    return join(verdict, "\n ", _others(others, own, width))


def _others(fares: list[Fare], own: Fare, width: int) -> Content:
    """The other arithmetics by what they leave, as many whole names as fit."""
    groups: dict[str, list[str]] = {}
    for fare in sorted(fares, key=lambda fare: (-fare.differences, fare.name != "textbook")):
        groups.setdefault(fare_sign(fare, own), []).append(_label(fare))
    parts: list[Part] = [("others here  ", "$secondary")]
    room, left = width - 14, len(fares)
    for sign, names in groups.items():
        shown = _fitting(names, room - len(sign) - 1)
        if not shown:
            break
        text, left = ", ".join(shown), left - len(shown)
        style = "bold $success" if sign.startswith("✓") else "bold $warning"
        parts += [(sign, style), f" {text}   "]
        room -= len(sign) + len(text) + 4
        if len(shown) < len(names):
            break
    more = (f"+{left}  a lists them", "$secondary") if left else ""
    return join(*parts, more)


def fare_sign(fare: Fare, own: Fare) -> str:
    """`≠ 3`, `✓`; `○` where nothing is simulated; where less is than of the chosen one, of how
    many values: `✓ of 300`."""
    if not fare.elements:
        return "○"
    sign = f"≠ {fare.differences}" if fare.differences else "✓"
    return sign if fare.scope(own) == "them" else f"{sign} of {fare.elements}"


def _fitting(names: list[str], room: int) -> list[str]:
    """The first names that fit, separated by commas, with room behind for how many are left."""
    found: list[str] = []
    for name in names:
        room -= len(name) + 2
        if room < MORE:
            break
        found.append(name)
    return found


def _label(fare: Fare) -> str:
    """`qnnpack` where all its CPU levels are one, else the first name."""
    engine, _, level = fare.name.partition("-")
    every = [name for name in fare.names if name.startswith(engine)]
    return engine if level and len(every) == len(LEVELS) else fare.name


def _verdict(
    own: Fare, name: str, fares: tuple[Fare, ...], recording: Recording, width: int
) -> Content:
    calls = "call" if own.not_simulated == 1 else "calls"
    unknown = f", {own.not_simulated} {calls} not simulated" if own.not_simulated else ""
    if not own.elements:
        return join((" ○ nothing could be compared", "bold"), (unknown, "$warning"))
    if not own.differences:
        every = "the only value equals" if own.elements == 1 else f"all {own.elements} values equal"
        text = f"{every} PyTorch's under {name}"
        return join((" ✓ ", "bold $success"), text, (unknown, "$warning"))
    better, best = leaving_least(recording, fares)
    scope = best.scope(own)
    hint = "" if best.differences else f" · {better} leaves none"
    hint += "" if best.differences or scope == "them" else f" of {scope}"
    line = join(
        (" ≠ ", "bold $warning"),
        (f"{own.differences} of {own.elements} values differ under {name}", "bold"),
        (unknown, "$warning"),
    )
    why, better_one = join((" · d: why", "$secondary")), join((hint, "$secondary"))
    return fitting(width, line, join(_largest(own)), why, better_one)


def _largest(fare: Fare) -> str:
    return f", max |Δ| {fare.max_delta:g}" if fare.max_delta else ""
