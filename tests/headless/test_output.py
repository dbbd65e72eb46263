"""Text outside the app: its signs, where the output cannot show them."""

import os
import subprocess
import sys

import pytest

from qdbg.headless.output import PLAIN, needs_ascii, signs, write
from tests.core.test_stages import all_stages
from tests.headless.conftest import ROOT

SESSION = ROOT / "sessions" / "versicolor.qdbg"
UNSET = ("LC_ALL", "LC_CTYPE", "LANG", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONCOERCECLOCALE")


@pytest.mark.parametrize(
    ("environment", "ascii"),
    [
        ({}, False),
        ({"LANG": "de_DE.UTF-8"}, False),
        ({"LANG": "C.utf8"}, False),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, True),
        ({"LANG": "de_DE.UTF-8", "LC_CTYPE": "de_DE.ISO-8859-1"}, True),
    ],
)
def test_the_locale_decides_where_no_option_does(environment, ascii):
    assert needs_ascii(environment) is ascii


def shown(*options, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    words = [sys.executable, "-m", "qdbg", *options]
    done = subprocess.run(  # noqa: S603 - this Python
        words, env=kept | environment, capture_output=True, check=True, cwd=ROOT
    )
    return done.stdout


@pytest.mark.parametrize("locale", ["C", "POSIX", "de_DE.ISO-8859-1"])
def test_text_is_in_ascii_where_the_locale_is_not_utf_8_as_the_app_is(locale):
    text = shown("show", SESSION, LC_ALL=locale)
    assert text.isascii()
    assert b"=  fc1:linear" in text


@pytest.mark.parametrize(
    "environment", [{}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}]
)
def test_text_is_in_utf_8_where_nothing_speaks_against_it_or_it_is_asked_for(environment):
    assert "✓  fc1:linear" in shown("show", SESSION, **environment).decode()


def test_without_a_terminal_the_option_for_ascii_is_obeyed_too():
    assert shown(SESSION, "--ascii").isascii()


def test_every_sign_of_a_formula_has_its_own_in_ascii(capsys):
    with signs(ascii=True):
        for stage in all_stages():
            write(stage.formula)
    text = capsys.readouterr().out
    assert text.isascii()
    assert "\\" not in text


def test_no_sign_for_another_is_ambiguous_among_the_marks():
    assert len({PLAIN[ord(mark)] for mark in "✓≠○↑↓"}) == 5
