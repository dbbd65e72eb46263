"""The lists to choose from: arithmetics, saved sessions."""

from __future__ import annotations

from pathlib import Path

from qdbg.app.dialogs import Choice, Choices, Choose
from qdbg.app.grid import GridColumn, GridRow
from qdbg.app.widgets import fitted
from qdbg.debugger import Debugger
from qdbg.engine.arithmetics import arithmetic_for
from qdbg.engine.survey import Fare

ROOM = 80
"""From this width on the library has a column."""


def arithmetics(debugger: Debugger, fares: tuple[Fare, ...], width: int) -> Choose:
    """Every arithmetic with the differences that it leaves on this input."""
    recording = debugger.recording
    captured = arithmetic_for(recording)
    own = captured.name if captured is not None else ""
    chosen = debugger.trace.arithmetic.name
    columns = (
        GridColumn("arithmetic", 34 if width >= ROOM else 28, left=True),
        *((GridColumn("library", 8, left=True),) if width >= ROOM else ()),
        GridColumn("differ", 8),
        GridColumn("max |Δ|", 7),
    )
    choices = tuple(Choice(_pick(fare, chosen), _fare_row(fare, own, width)) for fare in fares)
    selected = next((i for i, fare in enumerate(fares) if chosen in fare.names), 0)
    hint = (
        f"differences that each leaves, of {fares[0].elements} values compared on this input\n"
        f"► the engine and CPU level that PyTorch ran ({own})\n"
        "⏎ simulate with it   esc leave"
    )
    return Choose("arithmetic", Choices(columns, choices), hint, selected)


def _pick(fare: Fare, chosen: str) -> str:
    return chosen if chosen in fare.names else fare.name


def _fare_row(fare: Fare, own: str, width: int) -> GridRow:
    names = ", ".join(_short_names(fare.names))
    mark = "►" if own in fare.names else " "
    role = "differs" if fare.differences else "plain"
    left = f"≠ {fare.differences}" if fare.differences else "✓ 0"
    library = (fare.library,) if width >= ROOM else ()
    names = fitted(names, 34 if library else 28)
    return GridRow((names, *library, left, f"{fare.max_delta:g}"), mark, "", role)


def _short_names(names: tuple[str, ...]) -> list[str]:
    """`fbgemm-avx2/avx512` for several levels of one engine."""
    levels: dict[str, list[str]] = {}
    for name in names:
        engine, _, level = name.partition("-")
        levels.setdefault(engine, []).append(level)
    return [f"{engine}-{'/'.join(own)}" if own[0] else engine for engine, own in levels.items()]


def sessions(folder: Path) -> Choose:
    """The saved sessions of the working directory."""
    found = sorted(folder.glob("*.qdbg"))
    choices = tuple(Choice(str(path), GridRow((path.name, _size(path)))) for path in found)
    columns = (GridColumn("session", 50, left=True), GridColumn("bytes", 10))
    hint = "⏎ open   esc leave" if found else "no saved session here: ctrl+s saves one   esc leave"
    return Choose(f"sessions in {folder}/", Choices(columns, choices), hint)


def _size(path: Path) -> str:
    return f"{path.stat().st_size:,}"
