"""A table is read in another base, and as real values."""

import numpy as np
import pytest

from qdbg.core.presets import ARITHMETICS
from qdbg.engine.filled import number
from qdbg.engine.reading import Reading
from qdbg.engine.terms import terms
from tests.app.conftest import region_text

CAPTURED = ARITHMETICS["fbgemm-avx2"]


def test_a_number_is_written_in_each_base():
    texts = [Reading(base).text(np.int32(-332), 32) for base in ("decimal", "hex", "binary")]
    assert texts == ["-332", "-0x14c", "-0b101001100"]
    assert Reading("two's complement").text(np.int32(-332), 32) == "fffffeb4"
    assert Reading("two's complement").text(np.int8(-12), 8) == "11110100"
    assert Reading("hex").text(np.float32(1.5), 32) == "1.5"


async def test_keys_choose_the_base_and_the_real_values(stage):
    async with stage() as pilot:
        app = pilot.app
        app.give("go", "fc1[8]")
        value = int(app.debugger.step.simulated[0, 8])
        await pilot.press("x")
        await pilot.pause()
        assert hex(value) in region_text(app, "#table")
        await pilot.press("x", "x")
        await pilot.pause()
        assert f"{value:08b}" in region_text(app, "#table")
        await pilot.press("x", "V")
        await pilot.pause()
        assert f"{(value - 128) * 13 / 256:.6g}" in region_text(app, "#table")


@pytest.mark.parametrize("arithmetic", ["textbook", "fbgemm-avx2"])
async def test_the_products_behind_an_element_are_read_as_real_values_too(stage, arithmetic):
    async with stage(arithmetic=arithmetic) as pilot:
        app = pilot.app
        app.give("go", "fc1.mac[8]")
        await pilot.press("s")
        await pilot.pause()
        await pilot.press("V")
        await pilot.pause()
        debugger = app.debugger
        first = terms(debugger.step, debugger.element, CAPTURED).rows[0].products[0]
        call = debugger.trace.call(debugger.step.call)
        x, w = call.inputs[0].real(), call.layer.weight.real()
        assert first.real == (x.flat[0], w[8, 0])
        assert number(x.flat[0], 6) in region_text(app, "#terms")
        assert number(w[8, 0], 6) in region_text(app, "#terms")
        assert "w_q" not in region_text(app, "#terms")
        await pilot.press("V")
        await pilot.pause()
        assert {"w_q", "real"} <= set(region_text(app, "#terms").split())


async def test_the_products_behind_an_element_are_read_in_the_base_too(stage):
    async with stage(arithmetic="textbook") as pilot:
        app = pilot.app
        await pilot.press("c", "s")
        element = terms(app.debugger.step, app.debugger.element, CAPTURED)
        pair = element.saturating[0]
        await pilot.press("x")
        await pilot.pause()
        assert hex(pair.total) in region_text(app, "#terms")
        await pilot.press("x", "x")
        await pilot.pause()
        assert f" {pair.kept & 0xFFFF:04x}" in region_text(app, "#terms")


@pytest.mark.parametrize(
    ("key", "place", "words"),
    [
        ("x", "quant.quantize", "Tables show hex. This one has no integers."),
        ("V", "fc1.mac", "Tables show real values. The integers of this one have no real values."),
    ],
)
async def test_a_table_in_which_nothing_is_read_otherwise_says_so(stage, key, place, words):
    async with stage() as pilot:
        app, said = pilot.app, []
        app.give("go", place)
        app.notify = lambda text, **_: said.append(text)
        await pilot.press(key)
        app.give("go", "fc1")
        await pilot.press(key)
        assert said[0] == words
        assert said[1].startswith("The table shows")
