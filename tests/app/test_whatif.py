"""Numbers are changed by keys, and the screen says what is changed and what that does."""

from qdbg.app.dialogs import Ask, Choose
from tests.app.conftest import app_on, ready, region_text, screen_text


async def changed(pilot, *keys):
    """Go to fc1's result, element 8, and change its bias."""
    await ready(pilot)
    pilot.app.give("go", "fc1[8]")
    pilot.app.give("set", "fc1.b[8] = -1.5")
    await pilot.press(*keys)
    await pilot.pause()
    return pilot.app.debugger


async def test_the_key_lists_the_numbers_behind_the_element_and_asks_for_a_value(stage):
    async with stage() as pilot:
        app = pilot.app
        app.give("go", "fc1[8]")
        await pilot.press("equals_sign")
        await pilot.pause()
        assert isinstance(app.screen, Choose)
        names = [choice.value for choice in app.screen.choices.choices]
        assert names[:6] == ["fc1[8]", *(f"fc1.w_q[8,{k}]" for k in range(4)), "fc1.b[8]"]
        assert {"quant[0]", "quant.y_scale", "fc1.y_zp", "arithmetic"} <= set(names)
        assert "-128 to 127" in screen_text(app)
        await pilot.press("j", "enter")
        await pilot.pause()
        assert isinstance(app.screen, Ask)
        await pilot.press("5", "enter")
        await pilot.pause()
        assert [change.text for change in app.debugger.changes] == ["fc1.w_q[8,0] = 5"]


async def test_the_screen_marks_what_changed_and_whose_the_captured_integers_are(stage):
    async with stage() as pilot:
        app = pilot.app
        await changed(pilot)
        text = screen_text(app)
        assert "* what if: 1 changed" in text
        assert "captured: the original run's" in text
        assert "* changed by what if" in region_text(app, "#legend")
        assert "fc1.b[8] = -1.5" in region_text(app, "#survey")
        row = next(line for line in region_text_lines(app, "#table") if line.startswith("│▌"))
        assert row.startswith("│▌*  8")
        assert "fc1  Linear 4→16 *1" in text


def region_text_lines(app, selector):
    region = app.screen.query_one(selector).region
    lines = screen_text(app).splitlines()[region.y : region.bottom]
    return [line[region.x : region.right] for line in lines]


async def test_one_key_shows_the_original_and_the_changed_run_again(stage):
    async with stage() as pilot:
        app = pilot.app
        debugger = await changed(pilot, "z")
        assert debugger.trace.original is None
        assert "original run, 1 changed: z" in screen_text(app)
        await pilot.press("z")
        assert debugger.trace.original is not None


async def test_the_list_of_changes_takes_one_back(stage):
    async with stage() as pilot:
        app = pilot.app
        debugger = await changed(pilot, "Z")
        assert "fc1.b[8]" in screen_text(app)
        await pilot.press("enter")
        await pilot.pause()
        assert debugger.changes == ()


async def test_the_drill_down_marks_the_products_that_changed(stage):
    async with stage() as pilot:
        app = pilot.app
        await changed(pilot)
        app.give("set", "fc1.w_q[8,2] = 7")
        await pilot.press("s")
        await pilot.pause()
        marked = [line.split() for line in region_text_lines(app, "#terms") if " *" in line]
        assert len(marked) == 1
        assert "*7" in marked[0]
        assert "PyTorch's original run" in screen_text(app)


async def test_the_diagnosis_does_not_explain_what_the_user_changed():
    app = app_on()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await changed(pilot, "d")
        assert "PyTorch did not run the changed numbers" in screen_text(app)
