"""y copies values, Y the element's computation: through the terminal, or into a file."""

import subprocess
import sys
from pathlib import Path

from qdbg.app.copying import choices, text_of
from qdbg.app.dialogs import Choose
from tests.synthetic import recording


async def picked(pilot, key, what):
    """Press the key and take the row of that value."""
    await pilot.press(key)
    await pilot.pause()
    assert isinstance(pilot.app.screen, Choose)
    values = [choice.value for choice in pilot.app.screen.choices.choices]
    await pilot.press(*["j"] * values.index(what), "enter")
    await pilot.pause()
    return pilot.app.clipboard


async def test_a_value_a_row_a_table_and_a_formula_are_copied(stage):
    async with stage() as pilot:
        app = pilot.app
        app.give("go", "fc1[8]")
        step = app.debugger.step
        value = str(step.simulated[0, 8])
        assert await picked(pilot, "y", "value") == value
        row = await picked(pilot, "y", "row")
        assert row.splitlines()[0].split("\t")[0] == "c"
        assert row.splitlines()[1].split("\t")[0] == "8"
        assert len((await picked(pilot, "y", "table")).splitlines()) == 17
        assert (await picked(pilot, "y", "formula")).endswith(f"= {value}")
        await picked(pilot, "y", "file")
        assert len(Path("fc1-linear-clamp-8.tsv").read_text().splitlines()) == 17


async def test_a_table_of_one_row_is_spoken_of_as_one(stage):
    made = recording(inputs=1)
    async with stage(made) as pilot:
        rows = [choice.row.cells[0] for choice in choices(pilot.app.debugger).choices.choices]
        assert "the table, 1 row" in rows
        assert text_of(pilot.app.debugger, "table")[1] == "1 row is"


async def test_the_computation_is_copied_or_saved_and_prints_the_element(stage):
    async with stage() as pilot:
        app = pilot.app
        app.give("go", "fc1[8]")
        value = str(app.debugger.step.simulated[0, 8])
        assert "int main(void)" in await picked(pilot, "Y", "c")
        await picked(pilot, "Y", "python-file")
        run = [sys.executable, "fc1-linear-clamp-8.py"]
        printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout  # noqa: S603
        assert printed.strip() == value
        await picked(pilot, "Y", "python-file")
        assert Path("fc1-linear-clamp-8-2.py").exists()
