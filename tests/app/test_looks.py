"""The screens as reviewed texts, at every size, in every theme and without colour."""

import os
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import product

import pytest
from rich.cells import cell_len
from textual.color import Color

from qdbg.app.app import QdbgApp
from qdbg.app.diagnosis import DiagnosisScreen
from qdbg.app.plan import Plan
from qdbg.app.theme import CONTRAST, DARK, LIGHT
from qdbg.app.touring import TourPanel
from qdbg.core.program import Program
from qdbg.errors import SampleError
from tests.app.conftest import app_on, app_on_file, ready
from tests.app.idle import until
from tests.app.snapshot import assert_snapshot, screen_text, shows
from tests.app.terminal import SESSIONS
from tests.synthetic import recording

SIZES = [(120, 40), (80, 24), (60, 16), (200, 60)]
ENDS = [(120, 40), (60, 16)]
BEYOND = [(300, 80), (40, 12)]
"""Larger and smaller than what a text is kept for."""
PATIENCE = 20
"""Seconds in which a screen must come to look as reviewed: what shows through below a window, and
a list's new columns, take further frames, which a busy machine draws late."""


async def seen(pilot, name, sizes=SIZES):
    """Compare the screen that is open now with its texts, one for each size."""
    for width, height in sizes:
        await resized(pilot, width, height)
        place = f"{name}/{width}x{height}"
        with suppress(AssertionError):  # the next line says it better
            await until(pilot, partial(shows, pilot.app, place), PATIENCE)
        assert_snapshot(pilot.app, place)
        if "NO_COLOR" in os.environ:
            assert colors(pilot.app) <= {True}


def colors(app):
    """Whether each colour on the screen is the terminal's own."""
    strips = app.screen._compositor.render_strips()
    styles = [s.style for strip in strips for s in strip if s.style]
    used = {color for style in styles for color in (style.color, style.bgcolor) if color}
    return {color.is_default for color in used}


async def resized(pilot, width, height):
    await pilot.resize_terminal(width, height)
    await pilot.pause()
    await pilot.pause()  # for what a list's new height moves


async def scenes(pilot, signs="", sizes=SIZES):
    """Open one screen after the other and compare each."""
    await ready(pilot)
    await pilot.press("c")
    await seen(pilot, f"main{signs}", sizes)
    await pilot.press("s")
    await seen(pilot, f"drill-down{signs}", sizes)
    await themes_say_the_same(pilot)
    await pilot.press("o", "d")
    await diagnosed(pilot)
    await seen(pilot, f"diagnosis{signs}", sizes)
    await pilot.press("escape")


async def windows(pilot, signs="", sizes=SIZES):
    """Help and palette, over the main screen."""
    await pilot.press("question_mark")
    await seen(pilot, f"help{signs}", sizes)
    await pilot.press("escape", "ctrl+p", *"back one")
    await pilot.app.workers.wait_for_complete()
    await seen(pilot, f"palette{signs}", sizes)
    await pilot.press("escape")


async def themes_say_the_same(pilot):
    """Every theme, and the first one again, shows the same text."""
    before = screen_text(pilot.app)
    for name in ("light", "contrast", "ansi", "dark"):
        await pilot.press("t")
        assert pilot.app.theme == f"qdbg-{name}"
        assert screen_text(pilot.app) == before


async def diagnosed(pilot):
    """Wait until the causes and the proof of the first are found."""

    def proved():
        return isinstance(pilot.app.screen, DiagnosisScreen) and pilot.app.screen.proved

    await until(pilot, proved)


async def test_the_screens_look_as_reviewed_at_every_size():
    app = app_on_file("mystery.qdbg", "textbook")
    async with app.run_test(size=SIZES[0]) as pilot:
        await scenes(pilot)
        await windows(pilot)
        for width, height in BEYOND:
            await resized(pilot, width, height)
            lines = screen_text(app).splitlines()
            assert "difference, 8 of 16 differ" in lines[1], "the stop reason"
            assert any("▌≠" in line for line in lines[2:-1])
            assert "n next" in lines[-1]


TEXTS = ("foreground", "secondary", "accent", "warning", "success", "primary")
READABLE = 4.5
"""The least contrast of a text, by the Web Content Accessibility Guidelines (level AA)."""


@pytest.mark.parametrize("theme", [DARK, LIGHT, CONTRAST], ids=lambda theme: theme.name)
def test_each_text_of_a_theme_can_be_read_on_each_of_its_grounds(theme):
    for text, ground in product(TEXTS, ("background", "surface", "panel")):
        colors = Color.parse(getattr(theme, text)), Color.parse(getattr(theme, ground))
        assert contrast(*colors) >= READABLE, (text, ground)


def contrast(one, other):
    """The ratio of two colours' relative luminances, as the guidelines define it."""
    low, high = sorted(luminance(color) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(color):
    """How bright a colour is, from 0 to 1."""
    parts = (n / 12.92 if n <= 0.04045 else ((n + 0.055) / 1.055) ** 2.4 for n in color.normalized)
    return sum(weight * n for weight, n in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


async def test_a_theme_is_the_same_from_the_start_and_after_another():
    looks = []
    for first in ("light", "dark"):
        app = QdbgApp(None, first)
        async with app.run_test() as pilot:
            await pilot.press(*("t" if first == "dark" else ""))
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            looks.append((app.theme, sorted(app.classes), [list(strip) for strip in strips]))
    assert looks[0] == looks[1]


async def test_without_colour_the_screens_say_the_same(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app, sizes = app_on_file("mystery.qdbg", "textbook"), SIZES[:1]
    async with app.run_test(size=SIZES[0]) as pilot:
        await scenes(pilot, sizes=sizes)
        await windows(pilot, sizes=sizes)
    await start_and_tour("", sizes)
    await bad_input("", sizes)


async def test_in_ascii_the_screens_look_as_reviewed():
    app = app_on_file("mystery.qdbg", "textbook", ascii=True)
    async with app.run_test(size=SIZES[0]) as pilot:
        await scenes(pilot, "-ascii", ENDS)
        await windows(pilot, "-ascii", ENDS)
        assert screen_text(app).isascii()


@pytest.mark.parametrize(("signs", "sizes"), [("", SIZES), ("-ascii", ENDS)])
async def test_the_start_screen_and_the_tour_look_as_reviewed(signs, sizes):
    await start_and_tour(signs, sizes)


async def start_and_tour(signs, sizes):
    """Open the start screen and from it the tour, and compare both."""
    app = QdbgApp(None, ascii=bool(signs))
    async with app.run_test(size=SIZES[0]) as pilot:
        await pilot.pause()
        await seen(pilot, f"start{signs}", sizes)
        await pilot.press("T")
        await ready(pilot)
        await until(pilot, lambda: app.screen.query(TourPanel))
        await seen(pilot, f"tour{signs}", sizes)


@pytest.mark.parametrize("signs", ["", "-ascii"])
async def test_the_screen_of_a_bad_input_looks_as_reviewed(signs):
    await bad_input(signs, SIZES)


async def bad_input(signs, sizes):
    """Open what is refused, and compare the screen."""

    def opening():
        raise SampleError("the input has 3 numbers", expected="4", remedy="give one per feature")

    app = QdbgApp(Plan("model.qdbg", opening, SESSIONS, None, None), ascii=bool(signs))
    async with app.run_test(size=SIZES[0]) as pilot:
        await until(pilot, lambda: app.problem)
        await seen(pilot, f"error{signs}", sizes)


async def test_names_of_wide_characters_break_neither_a_frame_nor_the_reason_of_the_stop():
    made = recording()
    wide = {path: f"{path}層📦" * 4 for path in made.program.layers}
    program = Program(
        tuple(replace(node, layer=wide[node.layer]) for node in made.program.nodes),
        {wide[path]: layer for path, layer in made.program.layers.items()},
    )
    app = app_on(replace(made, model="虹膜🌸.pth", sample="鳶尾", program=program), "textbook")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("c")
        for width, height in ((80, 24), (60, 16), (120, 40)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            lines = screen_text(app).splitlines()
            assert max(map(cell_len, lines)) <= width
            assert f"difference, {app.debugger.step.differences} of 16 differ" in lines[1]
            frames = [cell_len(line) for line in lines if line.startswith(("│", "╭", "╰"))]
            assert set(frames) == {width}
