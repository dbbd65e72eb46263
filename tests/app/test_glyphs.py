"""The signs of the screen where only ASCII can be drawn."""

from rich.cells import cell_len

from qdbg.app.glyphs import in_ascii
from qdbg.commands import COMMANDS
from qdbg.keys import key_sign
from tests.core.test_stages import all_stages

SIGNS = ["≠ ✓ ↑ ↓ ○ · ▌ Δ", "╭─ steps ─╮", *(key_sign(c.keys[0]) for c in COMMANDS if c.keys)]


def test_formulas_and_signs_in_ascii_are_as_wide_as_before_and_none_is_unknown():
    for text in {*SIGNS, *(stage.formula for stage in all_stages())}:
        assert in_ascii(text).isascii()
        assert len(in_ascii(text)) == cell_len(text)
        assert in_ascii(text).count("?") == text.count("?"), text


def test_the_dot_of_a_product_becomes_a_star_and_that_of_a_list_a_stop():
    assert in_ascii("acc·M   · mac") == "acc*M   . mac"


def test_a_wide_character_without_a_sign_keeps_its_two_columns():
    assert in_ascii("層1 ü") == "??1 u"


def test_the_six_marks_stay_apart():
    assert len(set(map(in_ascii, "≠✓↑↓○·"))) == 6
