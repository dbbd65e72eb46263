"""What there is no room for is cut with a sign: without one a number is another number."""

import re

import pytest

from qdbg.app.dialogs import Choice, Choices, Choose
from qdbg.app.grid import GridColumn, GridRow, column
from qdbg.app.widgets import shortened
from qdbg.spots import find_spot
from qdbg.whatif import held, shown
from tests.app.conftest import app_on_file, ready, screen_text

SMALL = [(80, 24), (60, 16)]


def listing(*rows):
    """A list of names and numbers, each column as wide as its widest cell."""
    names, numbers = zip(*rows, strict=True)
    columns = (column("from", names, left=True), column("adds", numbers))
    return Choose(
        "a list", Choices(columns, tuple(Choice(n, GridRow((n, x))) for n, x in rows)), ""
    )


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("fc1:linear[3]", 13, "fc1:linear[3]"),
        ("1:conv_transpose2d.result[0,1,2]", 16, "1:conv_t…[0,1,2]"),
        ("conv[0,1,2]", 8, "conv[0,…"),
        ("a sentence that is long", 10, "a sentenc…"),
    ],
)
def test_of_a_place_the_name_is_cut_and_not_the_element(text, width, short):
    assert shortened(text, width) == short


@pytest.mark.parametrize("size", SMALL)
async def test_a_list_keeps_elements_and_numbers_and_cuts_names(stage, size):
    name = "a_module_with_a_long_path.1:conv_transpose2d.result.of.a.stage"
    numbers = ["-12345678901234567890", "+255", "0"]
    async with stage(size=size) as pilot:
        await ready(pilot)
        rows = [(f"{name}[0,{n},7]", number) for n, number in enumerate(numbers)]
        pilot.app.push_screen(listing(*rows))
        await pilot.pause()
        lines = screen_text(pilot.app).splitlines()
        for n, number in enumerate(numbers):
            (line,) = [line for line in lines if f"…[0,{n},7] " in line]
            assert f" {number} " in line


async def test_a_name_takes_the_blanks_before_a_number_that_is_short(stage):
    async with stage(size=(60, 16)) as pilot:
        await ready(pilot)
        rows = [(f"fc1.weight.{n}", "1" * 38 if n else "-128") for n in (0, 10_000_000)]
        pilot.app.push_screen(listing(*rows))
        await pilot.pause()
        text = screen_text(pilot.app)
        assert re.search(r" fc1\.weight\.0 +-128 ", text)
        assert re.search(rf" fc1\.w\w*…  {'1' * 38} ", text)


@pytest.mark.parametrize("size", SMALL)
async def test_a_number_for_which_there_is_no_room_at_all_ends_with_the_sign(stage, size):
    columns = (GridColumn("number", 40), GridColumn("value", 40))
    rows = (Choice("", GridRow(("1" * 40, "2" * 40))),)
    async with stage(size=size) as pilot:
        await ready(pilot)
        pilot.app.push_screen(Choose("a list", Choices(columns, rows), ""))
        await pilot.pause()
        assert "2… " in screen_text(pilot.app)


@pytest.mark.parametrize("width", [60, 66, 73, 80, 84, 88, 120])
async def test_of_a_watchs_values_the_latest_is_whole(stage, width):
    async with stage(size=(width, 19)) as pilot:
        await ready(pilot)
        debugger = pilot.app.debugger
        for command in ("arithmetic textbook", "watch fc1.clamp[12]", "end"):
            debugger.execute(command)
        latest = debugger.watches.readings(debugger.trace, debugger.stop.mark)[0].words[-20:]
        await pilot.press("W")
        assert f"{latest} " in screen_text(pilot.app).partition("values")[2].partition("⏎")[0]


@pytest.mark.parametrize("width", [66, 73, 80, 84, 120])
async def test_the_names_of_arithmetics_that_there_is_room_for_are_whole(stage, width):
    async with stage(size=(width, 19)) as pilot:
        await ready(pilot)
        await pilot.press("a")
        assert " fbgemm-avx2/avx512, x86-avx2/avx512 " in screen_text(pilot.app)


async def test_a_changed_number_and_what_it_was_are_whole(stage):
    async with stage(size=(80, 24)) as pilot:
        await ready(pilot)
        debugger = pilot.app.debugger
        spot = find_spot(debugger.unchanged, "fc1.w_scale[3]")
        was = shown(spot, held(debugger.base, spot))
        debugger.execute("set fc1.w_scale[3] = 0.0012345678901234567")
        await pilot.press("Z")
        assert f"0.0012345678901234567  {was} " in screen_text(pilot.app)


@pytest.mark.parametrize("size", SMALL)
async def test_the_formula_to_copy_is_whole_or_ends_with_the_sign(stage, size):
    async with stage(size=size) as pilot:
        await ready(pilot)
        await pilot.press("f", "f", "y")
        (line,) = [x for x in screen_text(pilot.app).splitlines() if "the formula" in x]
        formula = line.partition("numbers  ")[2].partition("│")[0].strip()
        assert formula.endswith(("…", "= 123"))


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 16)])
async def test_the_headings_and_sums_of_the_pairs_are_whole(stage, size):
    async with stage(size=size) as pilot:
        await ready(pilot)
        await pilot.press("f", "f", "s")
        text = screen_text(pilot.app)
        assert "kept" in text
        assert "running sum" in text


async def test_the_sign_of_a_cut_pair_has_room_in_ascii_too():
    app = app_on_file("mystery.qdbg", "textbook", ascii=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        await pilot.press("c", "D", "s")
        (line,) = [x for x in screen_text(app).splitlines() if "-37438" in x and "-38656" in x]
        assert line.partition("-37438")[2].split("|")[0].split() == ["v"]
