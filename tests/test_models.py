"""The committed models are what their scripts make."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

MODELS = Path(__file__).resolve().parents[1] / "models"
NAMES = ("iris_qat", "iris_ptq")


def train(folder, name):
    folder.mkdir()
    script = shutil.copy(MODELS / f"{name}.py", folder)
    done = subprocess.run(  # noqa: S603 - this Python, our own script
        [sys.executable, script], capture_output=True, text=True, check=True
    )
    return done.stdout, (folder / f"{name}.pth").read_bytes()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Each script run twice: what it said and the file it made."""
    folder = tmp_path_factory.mktemp("models")
    with ThreadPoolExecutor(2) as pool:
        runs = {n: [pool.submit(train, folder / f"{n}{i}", n) for i in "12"] for n in NAMES}
    return {name: [run.result() for run in pair] for name, pair in runs.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_script_makes_the_same_bytes_twice(trained, name):
    """On one machine: float32 training may round differently on another processor."""
    first, second = trained[name]
    assert first == second


@pytest.mark.parametrize("name", NAMES)
def test_the_int8_model_classifies_the_test_split(trained, name):
    said, made = trained[name][0]
    assert "int8 accuracy on the test split: 100.0%" in said
    assert len(made) == (MODELS / f"{name}.pth").stat().st_size
