"""What qdbg draws itself, for speed, is what Textual would have drawn."""

import gc

import pytest
from textual.app import App
from textual.visual import Visual
from textual.widget import Widget

from qdbg.app.framed import Framed
from qdbg.app.pen import Pen
from qdbg.app.widgets import join
from qdbg.app.words import Words
from tests.app.conftest import region_text

WASTE = 200
"""Objects a key; a line as Textual makes it leaves 14, and a key draws about 40 lines."""
TEXTS = (
    join(),
    join("one line"),
    join("a\n", ("b\n\nc", "bold $warning"), "\n"),
    join(("\n\n", "$secondary"), ("acc[c]", "bold"), " = [k]"),
    join(("bold", "bold"), " and ", ("on a ground ", "$primary on $panel 40%"), "\nend"),
    join("words that go on ", ("over the end of ", "bold"), "the line, twice or more often\nx"),
    join(("averylongwordthatnobodycanbreak", "$accent"), " 全角文字 is wide ↑↓"),
)
RULES = (
    "text-wrap: wrap;",
    "text-wrap: nowrap;",
    "text-wrap: nowrap; text-overflow: ellipsis;",
    "text-overflow: ellipsis;",
)


class Texts(App):
    """One text in a frame that has all there is: borders, padding, words, colours."""

    CSS = """
    Words { width: 21; height: 12; color: #d8dce4; background: #14171d; border: round #3a4352;
            padding: 1 2; }
    """

    def compose(self):
        yield Words(id="text")


def runs(segments):
    """Letters with their looks: a blank has no more than a ground."""
    found = []
    for text, style, _ in segments:
        ground = style.bgcolor, style.reverse, style.underline
        look = style.color, style.bold, style.dim, style.italic
        found += [(letter, ground, look if letter.strip() else None) for letter in text]
    return found


@pytest.mark.parametrize("rule", RULES)
async def test_texts_are_cut_and_coloured_as_textual_does_it(rule):
    app = Texts()
    app.CSS = f"{app.CSS} Words {{ {rule} }}"
    async with app.run_test():
        words = app.query_one(Words)
        for width, text in ((w, text) for w in (16, 7, 40) for text in TEXTS):
            pen = Pen(words)
            drawn = [pen.draw(line) for line in pen.lines(text, width)]
            expected = Visual.to_strips(words, text, width, None, words.visual_style)
            assert [runs(line) for line in drawn] == [runs(strip) for strip in expected]


async def test_the_frame_is_the_one_that_textual_draws():
    app = Texts()
    async with app.run_test() as pilot:
        words = app.query_one(Words)
        for above, below in (("a title[c]", ""), ("another", "below"), ("another", "")):
            words.name_frame(above, below)
            words.say(TEXTS[-1] if below else TEXTS[2])
            await pilot.pause()
            assert_as_textual(words)


async def test_every_part_of_a_screen_is_as_textual_draws_it_in_every_theme(stage):
    async with stage() as pilot:
        for key in ("n", "t", "j", "t", "c", "t", "s", "t", "n"):
            await pilot.press(key)
            await pilot.pause()
            parts = [w for w in pilot.app.screen.query(Framed) if w.region and w.is_on_screen]
            assert parts
            for part in parts:
                assert_as_textual(part)


def assert_as_textual(part):
    whole = part.outer_size.region
    drawn = [runs(strip) for strip in part.render_lines(whole)]
    assert drawn == [runs(strip) for strip in Widget.render_lines(part, whole)], part


async def test_the_mouse_selects_of_a_text_what_it_goes_over(stage):
    async with stage() as pilot:
        title = pilot.app.screen.query_one("#title", Words)
        before = region_text(pilot.app, "#title")
        start = before.index("iris_qat")
        await pilot.mouse_down(title, offset=(start, 0))
        await pilot.hover(title, offset=(start + 7, 0))
        await pilot.mouse_up(title, offset=(start + 7, 0))
        assert pilot.app.screen.get_selected_text() == "iris_qat"
        assert region_text(pilot.app, "#title") == before
        colors = {segment.style.bgcolor for segment in title.draw_line(0)}
        assert len(colors) > 2
        pilot.app.screen.clear_selection()


async def test_what_is_drawn_leaves_little_for_the_search_of_unused_objects(stage):
    async with stage() as pilot:
        await pilot.press(*"nN")
        gc.collect()
        gc.disable()
        try:
            await pilot.press(*"nnnnnNNNNN")
            assert gc.collect() < 10 * WASTE
        finally:
            gc.enable()
