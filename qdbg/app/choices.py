"""The lists to choose from: arithmetics, saved sessions."""

from __future__ import annotations

from pathlib import Path

from qdbg.app.dialogs import Choice, Choices, Choose
from qdbg.app.files import saved_in
from qdbg.app.grid import GridColumn, GridRow, column
from qdbg.debugger import Debugger
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.survey import Fare

LIBRARY = 8
"""How wide the column of libraries is, where there is room for it."""


def arithmetics(debugger: Debugger, fares: tuple[Fare, ...]) -> Choose:
    """Every arithmetic with the differences that it leaves on this input."""
    recording = debugger.recording
    captured = arithmetic_for(recording)
    own = captured.name if captured is not None else ""
    chosen = debugger.trace.arithmetic.name
    compared = {fare.elements for fare in fares}
    signs = [_left(fare, one_size=len(compared) == 1) for fare in fares]
    widest = max(8, *map(len, signs))
    names = [", ".join(_short_names(fare.names)) for fare in fares]
    of = f"of {fares[0].elements} values compared" if len(compared) == 1 else "of what it simulates"
    columns = (
        column("arithmetic", names, left=True),
        GridColumn("library", LIBRARY, optional=True, left=True),
        GridColumn("differ", widest),
        GridColumn("max |Δ|", 7),
    )
    choices = tuple(
        Choice(_pick(fare, chosen), _fare_row(fare, name, sign, own))
        for fare, name, sign in zip(fares, names, signs, strict=True)
    )
    selected = next((i for i, fare in enumerate(fares) if chosen in fare.names), 0)
    hint = (
        f"differences that each leaves, {of} on this input\n"
        f"► the engine and CPU level that PyTorch ran ({own})\n"
        "⏎ simulate with it   esc leave"
    )
    return Choose("arithmetic", Choices(columns, choices), hint, selected)


def _pick(fare: Fare, chosen: str) -> str:
    return chosen if chosen in fare.names else fare.name


def _left(fare: Fare, *, one_size: bool) -> str:
    """`≠ 3`, `✓ 0`; where others compare another number of values, also how many it does."""
    sign = f"≠ {fare.differences}" if fare.differences else "✓ 0" if fare.elements else "○ 0"
    return sign if one_size else f"{sign} of {fare.elements}"


def _fare_row(fare: Fare, names: str, sign: str, own: str) -> GridRow:
    mark = "►" if own in fare.names else " "
    role = "differs" if fare.differences else "plain"
    return GridRow((names, fare.library, sign, f"{fare.max_delta:g}"), mark, "", role)


def _short_names(names: tuple[str, ...]) -> list[str]:
    """`fbgemm-avx2/avx512` for several levels of one engine."""
    levels: dict[str, list[str]] = {}
    for name in names:
        engine, _, level = name.partition("-")
        levels.setdefault(engine, []).append(level)
    return [f"{engine}-{'/'.join(own)}" if own[0] else engine for engine, own in levels.items()]


def sessions(folder: Path) -> Choose:
    """The saved sessions of the working directory."""
    found = saved_in(folder)
    choices = tuple(Choice(str(path), GridRow((path.name, _size(path)))) for path in found)
    columns = (GridColumn("session", 50, left=True), GridColumn("bytes", 10))
    hint = "⏎ open   esc leave" if found else "no saved session here: ctrl+s saves one   esc leave"
    return Choose(f"sessions in {folder}/", Choices(columns, choices), hint)


def _size(path: Path) -> str:
    return f"{path.stat().st_size:,}"
