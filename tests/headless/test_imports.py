"""What each headless use imports: the start is as quick as that."""

from tests.headless.conftest import python

HEAVY = ("numpy", "textual", "torch", "sklearn", "safetensors", "importlib.metadata", "asyncio")

LOADED = """
import sys
from qdbg.cli import main
for line in sys.argv[1:]:
    main(line.split("|") if line else [])
print("\\n" + " ".join(sorted(sys.modules)))
"""


def loaded(*lines):
    """By these command lines one after the other, each of words between bars."""
    return set(modules(LOADED, *lines).splitlines()[-1].split())


def modules(code, *argv):
    done = python("-c", code, *argv)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_and_misspellings_import_nothing_heavy():
    lines = ("", "--help", "--version", "replay|--help", "shwo", "x.pth|--bla")
    found = loaded(*lines, "predict|--help", "sweep|--help", "predict|x.pth|--samples|iris")
    assert "qdbg.headless.arguments" in found
    assert found.isdisjoint(HEAVY)


def test_replay_needs_numpy_alone(session_file):
    found = loaded(f"replay|{session_file}|--json|--junit|{session_file.with_suffix('.xml')}")
    assert "numpy" in found
    assert found.isdisjoint({"torch", "textual", "sklearn", "qdbg.capture", "qdbg.reader"})


def test_a_session_is_shown_without_torch_and_without_the_reader(session_file):
    found = loaded(f"show|{session_file}")
    assert found.isdisjoint({"torch", "textual", "sklearn", "qdbg.capture", "qdbg.reader"})


def test_the_pytest_plugin_imports_nothing_of_qdbg_until_there_is_a_session():
    found = modules("import sys, qdbg.pytest_plugin; print(*sys.modules)").split()
    ours = {module for module in found if module.startswith("qdbg")}
    assert ours == {"qdbg", "qdbg.pytest_plugin"}
