"""The first words stand on the terminal before Textual is loaded."""

import io
import sys

import pytest

from qdbg.app.greeting import ENTER, LEAVE, greeting
from tests.app.terminal import SESSIONS, Terminal


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def screen(monkeypatch):
    made = Screen()
    monkeypatch.setattr(sys, "__stderr__", made)
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    return made


def test_the_name_of_the_file_stands_there_and_the_app_goes_on_from_it(screen):
    with greeting("models/iris\x1b[2J.pth"):
        assert screen.getvalue().startswith(ENTER)
        assert "iris\N{REPLACEMENT CHARACTER}[2J.pth" in screen.getvalue()
    assert LEAVE not in screen.getvalue()


def test_an_app_that_does_not_load_leaves_the_terminal_as_it_was(screen):
    with pytest.raises(KeyboardInterrupt), greeting("iris.pth"):
        raise KeyboardInterrupt
    assert screen.getvalue().endswith(LEAVE)


def test_a_browser_gets_no_words_for_a_terminal(screen, monkeypatch):
    monkeypatch.setenv("TEXTUAL_DRIVER", "any")
    with greeting("iris.pth"):
        pass
    assert screen.getvalue() == ""


def test_in_a_terminal_they_come_before_anything_of_textuals(tmp_path):
    with Terminal(SESSIONS / "mystery.qdbg", "--arith", "textbook", cwd=tmp_path) as terminal:
        terminal.until(" starting")
        first = terminal.raw.partition(b" starting\r\n")[0]
        assert first.startswith(ENTER.encode())
        assert b"mystery.qdbg" in first
        terminal.until("step 1/20")
        assert "starting" not in terminal.text
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.raw.count(b"\x1b[?1049l") == 1
