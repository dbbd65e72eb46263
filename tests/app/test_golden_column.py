"""The user's own integers stand beside PyTorch's, and `d` says what their model does otherwise."""

from pathlib import Path

import numpy as np

from qdbg.app.app import QdbgApp
from qdbg.app.plan import Plan, plan_of_words
from qdbg.debugger import Debugger
from qdbg.session import Session, load
from tests.app.conftest import ready, screen_text
from tests.app.terminal import SESSIONS
from tests.app.test_diagnosis import diagnosed
from tests.synthetic import recording


def app_with(golden):
    session = Session.of(Debugger(recording(rows=6)))
    path = Path("iris_qat.qdbg")
    return QdbgApp(Plan("iris_qat.qdbg", lambda: session, path, None, None, golden))


def relu_too_early(made):
    return {1: np.maximum(made.values[1].astype(np.int64), 128)}


async def test_the_golden_column_and_its_differences_stand_in_the_table():
    app = app_with(relu_too_early)
    async with app.run_test(size=(140, 40)) as pilot:
        await ready(pilot)
        await pilot.press("f", "f")
        text = screen_text(app)
        assert app.debugger.step.name == "fc1:linear.clamp"
        assert "golden" in text
        assert "Δ golden" in text
        assert "fc1  Linear 4→16 ≠g" in text


async def test_a_stage_before_the_result_has_no_golden_column():
    app = app_with(relu_too_early)
    async with app.run_test(size=(140, 40)) as pilot:
        await ready(pilot)
        assert "Δ golden" not in screen_text(app)


async def test_the_diagnosis_names_what_the_golden_model_does_otherwise():
    app = app_with(relu_too_early)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await diagnosed(pilot)
        text = screen_text(app)
        assert "why golden fc1:linear differs" in text
        assert "Explained: captured-before-relu" in text


async def test_another_arithmetic_keeps_the_golden_column():
    app = app_with(relu_too_early)
    async with app.run_test(size=(140, 40)) as pilot:
        await ready(pilot)
        app.debugger.execute("arithmetic textbook")
        assert app.debugger.trace.golden


async def test_numbers_that_are_in_other_places_are_told(tmp_path):
    made = load(SESSIONS / "versicolor.qdbg").recording
    (fc1,) = (i for i, node in enumerate(made.program.nodes) if node.name == "fc1:linear")
    np.savez(tmp_path / "golden.npz", fc1=made.values[fc1][:, ::-1])
    words = [str(SESSIONS / "versicolor.qdbg"), "--golden", str(tmp_path / "golden.npz")]
    app = QdbgApp(plan_of_words(words))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await ready(pilot)
        text = " ".join(screen_text(app).split())
        assert "golden fc1:linear: not in PyTorch's places" in text
