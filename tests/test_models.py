"""The models are what their scripts make, and the scripts say how well they do."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qdbg.capture.level import machine_level

MODELS = Path(__file__).resolve().parents[1] / "models"
NAMES = ("iris_qat", "iris_ptq", "digits")
IRIS = ("iris_qat", "iris_ptq")
SHORT = "EPOCHS = 1\n"
RUN = "import runpy, sys; [runpy.run_path(name, run_name='__main__') for name in sys.argv[1:]]"
WITHOUT_VNNI = {"iris_qat": "66.7%", "iris_ptq": "100.0%"}
"""Of the int8 models by PyTorch's default engine, whose pairs saturate there. `iris_ptq` leaves a
bit of the inputs unused, so that they cannot."""


def shortened(source):
    """The script with one epoch of training."""
    lines = source.splitlines(keepends=True)
    return "".join(SHORT if line.startswith("EPOCHS = ") else line for line in lines)


def train(folder, *, whole):
    """Every script shortened, and in a process that also runs those of Iris whole: what each of
    those said, and all the bytes that were made."""
    for part in ("short", "whole"):
        (folder / part).mkdir(parents=True)
    scripts = []
    for name in NAMES:
        source = (MODELS / f"{name}.py").read_text(encoding="utf-8")
        assert shortened(source) != source
        scripts.append(folder / "short" / f"{name}.py")
        scripts[-1].write_text(shortened(source), encoding="utf-8")
    for name in IRIS if whole else ():
        scripts.append(folder / "whole" / f"{name}.py")
        scripts[-1].write_bytes((MODELS / f"{name}.py").read_bytes())
    done = subprocess.run(  # noqa: S603 - this Python, our own scripts
        [sys.executable, "-c", RUN, *scripts], capture_output=True, text=True, check=True
    )
    said = done.stdout.split("accuracy on the test split\n")[1:]
    made = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.pth")}
    return dict(zip([str(s.relative_to(folder)) for s in scripts], said, strict=True)), made


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two processes: one that trains shortly, one that trains in whole as well."""
    folder = tmp_path_factory.mktemp("models")
    with ThreadPoolExecutor(2) as pool:
        once = pool.submit(train, folder / "1", whole=False)
        again = pool.submit(train, folder / "2", whole=True)
        return once.result(), again.result()


@pytest.mark.parametrize("name", NAMES)
def test_a_script_makes_the_same_bytes_twice(trained, name):
    """On one machine: float32 training may round differently on another processor."""
    (said, made), (also_said, also_made) = trained
    assert said[f"short/{name}.py"] == also_said[f"short/{name}.py"]
    assert made[f"short/{name}.pth"] == also_made[f"short/{name}.pth"]


@pytest.mark.parametrize("name", IRIS)
def test_what_is_lost_in_int8_is_lost_by_saturating_pairs_alone(trained, name):
    _, (said, made) = trained
    before, exact, default, saved = said[f"whole/{name}.py"].splitlines()
    assert before.split(": ")[1] == "100.0%"
    assert exact == "int8 by qnnpack, exact sums: 100.0%"
    here = "100.0%" if machine_level() == "vnni" else WITHOUT_VNNI[name]
    assert default == f"int8 by x86, the default here: {here}"
    assert saved == f"saved {name}.pth"
    assert len(made[f"whole/{name}.pth"]) == (MODELS / f"{name}.pth").stat().st_size
