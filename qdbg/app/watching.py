"""The watches on the main screen: a line each, which grows to the right as the run goes on."""

from __future__ import annotations

from textual.content import Content

from qdbg.app.widgets import Part, join, shortened, tail
from qdbg.debugger import Debugger

MOST_WATCHES, LEAST_WATCHES = 6, 2
"""How many lines there are, and how many where the screen is narrow."""
NAME = 24
"""How wide the longest name may be."""


def watch_lines(debugger: Debugger, width: int, most: int) -> Content:
    """Each watch with its values so far; where there are more, how many, in place of the last."""
    found = debugger.watches.readings(debugger.trace, debugger.stop.mark)
    shown = found if len(found) <= most else found[: most - 1]
    widest = min(NAME, max(len(one.text) for one in found))
    lines: list[Part] = []
    for one in shown:
        name = f"{shortened(one.text, widest):<{widest}}  "
        words = tail(one.words, max(8, width - len(name)))
        lines += ["\n" if lines else "", (name, "bold")]
        lines.append((words or "· nothing yet", "" if one.now else "$secondary"))
    if len(shown) < len(found):
        lines += ["\n", (f"… {len(found) - len(shown)} more: W lists them", "$secondary")]
    return join(*lines)
