"""The models are what their scripts make, and the scripts say how well they do."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qdbg.capture.level import machine_level
from tests.forked import printed

MODELS = Path(__file__).resolve().parents[1] / "models"
NAMES = ("iris_qat", "iris_ptq", "digits")
IRIS = ("iris_qat", "iris_ptq")
SHORT = "EPOCHS = 1\n"
WITHOUT_VNNI = {"iris_qat": "66.7%", "iris_ptq": "100.0%"}
"""Of the int8 models by PyTorch's default engine, whose pairs saturate there. `iris_ptq` leaves a
bit of the inputs unused, so that they cannot."""


def shortened(source):
    """The script with one epoch of training."""
    lines = source.splitlines(keepends=True)
    return "".join(SHORT if line.startswith("EPOCHS = ") else line for line in lines)


def train(folder, run, *, whole):
    """Every script shortened, and those of Iris whole as well, by `run`: what each of them said,
    and all the bytes that were made."""
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
    said = json.loads(run("tests.training", *scripts))
    made = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.pth")}
    return {str(Path(script).relative_to(folder)): text for script, text in said.items()}, made


def forked(module, *scripts):
    """By a process that has PyTorch already."""
    return printed(machine_level(), module, *scripts)


def started(module, *scripts):
    """By a process of its own, whose sets have another order."""
    done = subprocess.run(  # noqa: S603 - this Python, our own scripts
        [sys.executable, "-m", module, *scripts], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two processes: one that trains shortly, one that trains in whole as well."""
    folder = tmp_path_factory.mktemp("models")
    with ThreadPoolExecutor(2) as pool:
        once = pool.submit(train, folder / "1", forked, whole=False)
        again = pool.submit(train, folder / "2", started, whole=True)
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
