"""A newcomer with the README alone: its keys, in its order, end with the mystery's cause."""

import re
import shlex

from qdbg.app.app import QdbgApp
from qdbg.app.plan import plan_of_words
from tests.app.conftest import ready
from tests.app.terminal import Terminal
from tests.app.test_opening import until
from tests.readme import README

ROOT = README.parent
KEYS = {"⏎": "enter"}


def written():
    """The command line and the keys of the paragraph."""
    text = README.read_text(encoding="utf-8")
    paragraph = text[text.index("by yourself: open") : text.index("all is equal")]
    command, *keys = re.findall(r"`([^`]+)`", paragraph)
    return shlex.split(command)[1:], [KEYS.get(key, key) for key in keys]


SEEN = [
    "difference, 8 of 16 differ",
    "largest |Δ| here: 20",
    "-38656",
    "largest |Δ| here: 20",
    "Explained: pair-saturation",
    "all 42 values equal PyTorch's",
]
"""What each of the keys brings on the screen."""


async def test_the_keys_of_the_readme_lead_to_the_cause(monkeypatch):
    monkeypatch.chdir(ROOT)
    argv, keys = written()
    app = QdbgApp(plan_of_words(argv))
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(pilot)
        for key, words in zip(keys, SEEN, strict=True):
            await pilot.press(key)
            await until(pilot, words)
        assert app.debugger.trace.differences == 0


def test_the_same_in_a_real_terminal(tmp_path):
    argv, keys = written()
    session, *rest = argv
    with Terminal(ROOT / session, *rest, size=(80, 24), cwd=tmp_path) as terminal:
        terminal.until("textbook")
        terminal.until("of 42 values differ")
        for key, words in zip(keys, SEEN, strict=True):
            terminal.press(key).until(words)
        terminal.press("q")
        assert terminal.ended() == 0


def test_the_tour_in_a_real_terminal(tmp_path):
    with Terminal("--tour", size=(80, 24), cwd=tmp_path) as terminal:
        for place in range(7):
            terminal.until(f"tour {place + 1} of 7")
            terminal.press("space")
        terminal.until(lambda text: "tour 7" not in text)
        terminal.press("q")
        assert terminal.ended() == 0


def test_every_picture_of_the_readme_is_there_and_was_made_by_the_app():
    pictures = re.findall(r"sessions/\w+\.svg", README.read_text(encoding="utf-8"))
    assert len(pictures) == 3
    for picture in pictures:
        assert "Generated with Rich" in (ROOT / picture).read_text(encoding="utf-8")[:200]


def test_a_quit_session_is_gone_on_with_in_the_next_start(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    session = ROOT / "sessions" / "versicolor.qdbg"
    with Terminal(session, cwd=tmp_path) as terminal:
        terminal.until("all 42 values")
        terminal.press("R").until("start of the run")
        terminal.press("n", "n").until("step 3/")
        terminal.press("q")
        assert terminal.ended() == 0
    with Terminal(cwd=tmp_path) as terminal:
        terminal.until("go on with")
        terminal.press("enter").until("step 3/")
        terminal.press("q")
        assert terminal.ended() == 0
