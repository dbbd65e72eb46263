"""What `y` and `Y` copy: values as text, an element's computation as a program."""

from __future__ import annotations

import re
from pathlib import Path

from qdbg.app.dialogs import Choice, Choices, Choose
from qdbg.app.grid import GridColumn, GridRow, column
from qdbg.debugger import Debugger
from qdbg.engine.computation import computation
from qdbg.engine.explain import explain
from qdbg.engine.table import Table, tabulated
from qdbg.engine.written import RUN_C, c, python
from qdbg.errors import CommandError

MOST = 20_000
"""More rows than that are no use in a clipboard: they go to a file."""
HINT = (
    "⏎ take it   esc leave\n"
    "The terminal copies (OSC 52); where it does not, macOS Terminal say, take a file"
)


def choices(debugger: Debugger) -> Choose:
    """What can be copied of this stage."""
    step, element = debugger.step, debugger.element
    table, size = Table(step), step.size
    rows = "1 row" if size == 1 else f"{size} rows"
    row = "  ".join(table.row(element).cells) if size else ""
    found = [("value", "the value", _value(debugger)), ("row", "the row, with its headings", row)]
    if step.stage is not None:
        found.append(("formula", "the formula with its numbers", explain(step, element)[0].numbers))
    if size <= MOST:
        found.append(("table", f"the table, {rows}", "separated by tabs"))
    found.append(("file", f"the table into a file, {rows}", _free(debugger, ".tsv").name))
    return _choose("copy", found)


def languages(debugger: Debugger) -> Choose:
    """The program in each language. Raises CommandError for what cannot be written."""
    made = computation(debugger.trace, debugger.step, debugger.element)
    result = made.result.value
    found = [
        ("python", "Python, copied", f"prints {result}"),
        ("c", "C, copied", f"prints {result}"),
        ("python-file", "Python, into a file", _free(debugger, ".py").name),
        ("c-file", "C, into a file", _free(debugger, ".c").name),
    ]
    return _choose("this element's whole computation", found)


def _choose(title: str, found: list[tuple[str, str, str]]) -> Choose:
    rows = tuple(Choice(what, GridRow((words, text))) for what, words, text in found)
    columns = (
        column("what", [words for _, words, _ in found], left=True),
        GridColumn("", 0, left=True),
    )
    return Choose(title, Choices(columns, rows), HINT)


def text_of(debugger: Debugger, what: str) -> tuple[str, str]:
    """The text to copy and what it is; without a text, where it was saved. Raises CommandError."""
    step, element = debugger.step, debugger.element
    table = Table(step)
    match what:
        case "value":
            return _value(debugger), "The value is"
        case "row":
            return tabulated(table, [element]), "The row is"
        case "formula":
            return explain(step, element)[0].numbers, "The formula is"
        case "table":
            return tabulated(table, range(step.size)), _are(step.size)
        case _:
            path = _free(debugger, ".tsv")
            return "", _saved(path, tabulated(table, range(step.size)))


def program(debugger: Debugger, what: str) -> tuple[str, str]:
    """The same for a program."""
    made = computation(debugger.trace, debugger.step, debugger.element)
    in_c = what.startswith("c")
    text = c(made) if in_c else python(made)
    if not what.endswith("-file"):
        return text, f"{len(text.splitlines())} lines of {'C' if in_c else 'Python'} are"
    path = _free(debugger, ".c" if in_c else ".py")
    run = RUN_C.replace("FILE", path.name) if in_c else f"python3 {path.name}"
    return "", f"{_saved(path, text)}. Run it: {run}"


def _are(rows: int) -> str:
    return "1 row is" if rows == 1 else f"{rows} rows are"


def _value(debugger: Debugger) -> str:
    cells = Table(debugger.step).row(debugger.element).cells if debugger.step.size else ("",)
    titles = [column.title for column in Table(debugger.step).columns]
    own = debugger.step.stage.output if debugger.step.stage is not None else "captured"
    return cells[titles.index(own)]


def _free(debugger: Debugger, suffix: str) -> Path:
    """A name in the working folder that no file has."""
    step = debugger.step
    stem = re.sub(r"[^A-Za-z0-9]+", "-", f"{step.name}-{debugger.element}").strip("-")
    path, count = Path(f"{stem}{suffix}"), 1
    while path.exists() or path.is_symlink():
        count += 1
        path = Path(f"{stem}-{count}{suffix}")
    return path


def _saved(path: Path, text: str) -> str:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise CommandError(f"{path} cannot be written: {problem.strerror}") from problem
    return f"Saved: {path}"
