"""What the user sees, at several sizes of the terminal."""

import re
from dataclasses import replace

import numpy as np
import pytest

from qdbg.app.sources import LayerTable, Rail
from qdbg.core.program import Layer, Program
from qdbg.debugger import Debugger
from qdbg.engine.explain import explain
from tests.app.conftest import region_text, screen_text
from tests.synthetic import recording, with_unknown_op

SIZES = [(120, 40), (80, 24), (60, 16), (97, 31), (200, 60)]


def squeezed(text):
    return "".join(text.split())


@pytest.mark.parametrize("size", SIZES)
async def test_the_table_the_stop_reason_and_the_footer_are_always_there(stage, size):
    async with stage(arithmetic="textbook", size=size) as pilot:
        app = pilot.app
        await pilot.press("c")
        text = screen_text(app)
        lines = text.splitlines()
        assert f"difference, {app.debugger.step.differences} of 16 differ" in lines[1]
        assert "captured" in text
        assert "textbook" in lines[0]
        assert "next" in lines[-1]
        assert max(len(line) for line in lines) <= size[0]


@pytest.mark.parametrize("arithmetic", ["textbook", "fbgemm-avx2", "onednn-avx2", "qnnpack-avx2"])
async def test_every_formula_stands_verbatim_on_the_screen(stage, arithmetic):
    async with stage(arithmetic=arithmetic, size=(200, 60)) as pilot:
        app = pilot.app
        for _ in range(len(app.debugger.trace)):
            text = squeezed(region_text(app, "#formula"))
            for line in explain(app.debugger.step, app.debugger.element):
                for part in (line.symbols, line.numbers):
                    assert squeezed(part) in text, (app.debugger.step.name, part)
            await pilot.press("n")


async def test_the_main_screen_says_how_the_other_arithmetics_fare(stage):
    async with stage(size=(140, 40)) as pilot:
        app = pilot.app
        text = screen_text(app)
        assert "all 42 values equal PyTorch's under fbgemm-avx2" in text
        assert re.search(r"≠ \d+ textbook", text)


async def test_a_value_that_pytorch_does_not_show_is_never_ticked(stage):
    async with stage() as pilot:
        app = pilot.app
        await pilot.press("n", "n", "n")
        assert app.debugger.step.name == "fc1:linear.mac"
        assert "derived" in screen_text(app)
        assert "· mac" in screen_text(app)


async def test_the_drill_down_shows_the_saturating_pair_and_what_it_costs(stage):
    async with stage(arithmetic="textbook") as pilot:
        app = pilot.app
        await pilot.press("c", "s")
        text = screen_text(app)
        assert "1 pair saturates in fbgemm-avx2" in text
        assert "-32768" in text
        step, element = app.debugger.step, app.debugger.element
        assert f"PyTorch {step.captured.ravel()[element]}" in text
        assert f"Δ {step.delta.ravel()[element]:+}" in text


async def test_the_element_follows_the_keys_in_the_drill_down(stage):
    async with stage(arithmetic="textbook") as pilot:
        app = pilot.app
        await pilot.press("c", "s")
        before = app.debugger.element
        await pilot.press("j")
        assert app.debugger.element == before + 1
        assert f"behind fc1:linear[{before + 1}]" in screen_text(app)
        await pilot.press("escape")
        assert "steps" in screen_text(app)


async def test_a_call_that_is_not_simulated_shows_what_pytorch_computed_and_why(stage):
    async with stage(with_unknown_op(recording())) as pilot:
        app = pilot.app
        app.give("go", "relu")
        await pilot.pause()
        text = screen_text(app)
        reason = "qdbg does not know the arithmetic of aten.sigmoid"
        assert squeezed(reason) in squeezed(region_text(app, "#formula"))
        captured = app.debugger.step.captured.ravel()
        assert str(captured[0]) in text


async def test_a_large_result_is_drawn_a_screen_at_a_time(stage):
    async with stage(recording(rows=4000)) as pilot:
        app = pilot.app
        app.give("go", "fc1.clamp")
        await pilot.press("G")
        assert app.debugger.element == 4000 * 16 - 1
        assert "3999,15" in screen_text(app)
        await pilot.press("g")
        assert "0,0" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_help_opens_and_closes_at_every_size(stage, size):
    async with stage(size=size) as pilot:
        app = pilot.app
        await pilot.press("question_mark")
        await pilot.pause()
        assert "─ keys ─" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "─ keys ─" not in screen_text(app)


async def test_every_theme_keeps_the_same_words(stage):
    async with stage(arithmetic="textbook") as pilot:
        app = pilot.app
        await pilot.press("c")
        before = screen_text(app)
        for name in ("light", "contrast", "ansi", "dark"):
            await pilot.press("t")
            assert app.theme == f"qdbg-{name}"
            assert screen_text(app) == before


async def test_the_range_strip_counts_the_values_at_the_ends(stage):
    async with stage(size=(120, 30)) as pilot:
        app = pilot.app
        app.give("go", "fc1.clamp")
        await pilot.pause()
        values = app.debugger.step.captured
        at_end = int(np.count_nonzero(values == 255))
        shown = "qmax 255" + (f" ×{at_end}" if at_end else "")
        assert shown in screen_text(app)


def test_the_parts_of_a_recurrent_layer_have_their_weights_names_in_the_list_of_steps():
    made = recording()
    named = {"fc1:linear": "fc1:ih_l0", "fc2:linear": "fc2:hh_l1_reverse#2"}
    nodes = (replace(node, name=named.get(node.name, node.name)) for node in made.program.nodes)
    rail = Rail(Debugger(replace(made, program=Program(tuple(nodes), made.program.layers))).trace)
    texts = [rail.row(index).cells[0] for index in range(len(rail))]
    assert "fc1  ih_l0 Linear" in texts
    assert "fc2  hh_l1_reverse#2 Linear" in texts


def test_names_of_layers_are_cut_only_where_there_is_no_room():
    layers = [Layer(path, "Identity", None, None) for path in ("depthwise_bn", "a" * 40)]
    cells = [row.cells[0] for row in map(LayerTable(layers, 60).row, range(2))]
    assert cells == ["depthwise_bn", f"…{'a' * 27}"]
