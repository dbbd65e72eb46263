"""What holds for the repository as a whole."""

import re
import subprocess
import sys
from pathlib import Path

import qdbg
from tests.readme import README, with_table

HEADLESS = [
    *("qdbg.core.container", "qdbg.engine.survey", "qdbg.debugger", "qdbg.reader"),
    *("qdbg.capture", "qdbg.samples", "qdbg.golden", "qdbg.session", "qdbg.pytest_plugin"),
    *(f"qdbg.headless.{name}" for name in ("replay", "show", "drill", "report", "recapture")),
    *("qdbg.fleet.predict", "qdbg.fleet.sweep", "qdbg.headless.predict", "qdbg.headless.sweep"),
]


def test_no_headless_module_imports_torch_or_textual():
    assert imported_by(*HEADLESS).isdisjoint({"torch", "textual", "sklearn"})


def test_the_command_line_imports_nothing_heavy():
    assert imported_by("qdbg.cli").isdisjoint({"numpy", "torch", "textual", "safetensors"})


def test_the_apps_first_screen_imports_no_numpy():
    assert imported_by("qdbg.app.app").isdisjoint({"numpy", "torch", "sklearn"})


def imported_by(*modules):
    code = f"import sys, {', '.join(modules)}; print(*{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_key_table_of_the_readme_is_that_of_the_command_table():
    text = README.read_text(encoding="utf-8")
    assert with_table(text) == text


def test_every_row_of_a_table_in_the_readme_has_the_cells_of_its_heading():
    tables = re.findall(r"(?:^\|.*\n)+", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(tables) == 2
    for table in tables:
        bars = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(bars) == 1


def test_the_readme_stays_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 150


def test_no_module_takes_the_property_whose_lock_can_stop_the_app():
    """qdbg.core.once has the one that holds no lock: see there."""
    package = Path(qdbg.__file__).parent
    taking = re.compile(r"from functools import .*cached_property|functools\.cached_property")
    found = [p.name for p in package.rglob("*.py") if taking.search(p.read_text("utf-8"))]
    assert found == ["once.py"]
